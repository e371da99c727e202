"""The end of a run: what failed, what the servers complained about, which statements were shown."""

import re

from harness.runner import Outcome
from lab.lab import Lab

TROUBLE = re.compile(r"\terror\t|Traceback|attempt to (index|call|compare|concatenate|perform)")
# An access to storage outside of an async context, with the calls that led to it, the last first. It is ours if no
# other module stands between: those that watch what we show them store as they do without us.
BLOCKING = re.compile(r"ASYNC-01.*(?:\n\t.*)*")
MODULE = re.compile(r"/mod_\w+|/\w+\.lib\.lua")
OURS = "/mod_minimix"
ON_PURPOSE = "the lab raises this on purpose"


def report(labs: list[Lab], outcomes: list[Outcome], seconds: float) -> bool:
    """Prints the summary and returns whether all is well."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    trouble = [error for lab in labs for error in server_errors(lab)]
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
    logs = [log.read_text(errors="replace") for log in lab.logs]
    lines = (line for log in logs for line in log.splitlines())
    errors = [line for line in lines if TROUBLE.search(line) and ON_PURPOSE not in line]
    return errors + [trace for log in logs for trace in BLOCKING.findall(log) if _is_ours(trace)]


def _is_ours(trace: str) -> bool:
    module = MODULE.search(trace)
    return module is not None and module[0] == OURS
