"""The end of a run: what failed, what the servers complained about, which statements were shown."""

import re

from harness.runner import Outcome
from lab.lab import Lab

TROUBLE = re.compile(r"\terror\t|Traceback|attempt to (index|call|compare|concatenate|perform)")
ON_PURPOSE = "the lab raises this on purpose"


def report(lab: Lab, outcomes: list[Outcome], seconds: float) -> bool:
    """Prints the summary and returns whether all is well."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    trouble = server_errors(lab)
    for line in trouble[:20]:
        print(f"server error: {line}")
    shown = sorted({statement for outcome in outcomes for statement in outcome.story.statements}, key=_by_number)
    print(f"statements: {' '.join(shown)}")
    for outcome in failed:
        print(f"failed: {outcome.story.name} {outcome.kind}")
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} passed in {seconds:.0f} s, {len(trouble)} server errors")
    return not failed and not trouble


def _by_number(statement: str) -> tuple[str, int]:
    return statement[0], int(re.sub(r"\D", "", statement) or 0)


def server_errors(lab: Lab) -> list[str]:
    """What the servers logged as an error, or with a traceback, and no story wanted."""
    lines = (line for log in lab.logs for line in log.read_text(errors="replace").splitlines())
    return [line for line in lines if TROUBLE.search(line) and ON_PURPOSE not in line]
