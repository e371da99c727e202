#!/usr/bin/env python3
"""Smack's integration tests of group chats: without the module, with it, and with two sessions in every room.

interop.py                     all tests, three times, and what then seems to pass without the module only again
interop.py --rounds 10         more often
interop.py --late              in rooms that answer 50 ms late, as remote ones do
interop.py SomeTest.someTest   these tests
interop.py --keep              keeps the logs, which it does on failure anyway
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lab import signals
from lab.prosody import CHECKOUT, check_built
from lab.server import ServerFailed
from smack.hosts import SIDES, WITHOUT, Place, Side
from smack.suite import JARS, SuiteFailed, run
from smack.tally import CANNOT_PASS, UNSTABLE, Tally, doubtful, only_without
from smack.watch import Watch

ROUNDS = 3
REPEATS = 10  # at most
OURS = [side for side in SIDES if side is not WITHOUT]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Smack's tests of group chats against mod_minimix")
    parser.add_argument("tests", nargs="*", help="as the report names them; all if none")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often they run on each side")
    parser.add_argument("--late", action="store_true", help="in rooms that answer 50 ms late")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data, and Smack's output")
    return parser.parse_args()


class Comparison:
    """The sides in turn, and what they passed."""

    def __init__(self, place: Place, directory: Path):
        self.tallies = {side: Tally() for side in SIDES}
        self._place = place
        self._directory = directory
        self._runs = 0

    async def compare(self, rounds: int, tests: list[str]) -> None:
        for _ in range(rounds):
            for side in SIDES:
                await self._run(side, tests)
        for _ in range(REPEATS):
            doubts = {side: doubtful(self.tallies[WITHOUT], self.tallies[side]) for side in OURS}
            doubts[WITHOUT] = set().union(*doubts.values())
            if not doubts[WITHOUT]:
                return
            for side in SIDES:
                if doubts[side]:
                    await self._run(side, sorted(doubts[side]))

    async def _run(self, side: Side, tests: list[str]) -> None:
        self._runs += 1
        start = time.monotonic()
        outcomes = await run(self._place.name_server, side, self._directory / f"{self._runs:02}-{side.host}.out", tests)
        self.tallies[side].add(outcomes)
        passed, seconds = sum(outcomes.values()), time.monotonic() - start
        print(f"{passed} of {len(outcomes)} pass {side.words}, {seconds:.0f} s", flush=True)


def report_sets(tallies: dict[Side, Tally]) -> bool:
    """Prints what passed where; returns whether nothing is lost by the module."""
    without = tallies[WITHOUT]
    for side in SIDES:
        tally = tallies[side]
        print(f"{side.words}: {len(tally.always)} of {len(tally.ran)} always pass")
        for name in sorted(set(tally.ran) - tally.always):
            note = "cannot pass" if name in CANNOT_PASS and side is not WITHOUT else ""
            note = "unstable by itself" if name in UNSTABLE else note
            print(f"  {name}: {tally.passed[name]} of {tally.ran[name]}{note and ', ' + note}")
    lost = False
    for side in OURS:
        names = sorted(only_without(without, tallies[side]))
        gained = sorted(tallies[side].always - without.ever)
        print(f"pass {WITHOUT.words} and not {side.words}:", ", ".join(names) or "none")
        print(f"pass {side.words} and not {WITHOUT.words}:", ", ".join(gained) or "none")
        lost = lost or bool(names)
    return not lost


def report_rooms(watch: Watch) -> bool:
    """Prints what the rooms saw that they should not have seen, and who was missing; returns whether all is well."""
    first, second = watch.stays
    print(f"the second session was in {len(second & first)} of {len(first)} rooms with the first")
    wrong = [
        *(f"a full JID was seen: {line}" for line in watch.faces),
        *(f"taken as direct: {line}" for line in watch.direct),
        *(f"server error: {line}" for line in watch.errors),
        *(f"the second session was missing: {stay}" for stay in sorted(first - second)),
    ]
    for line in wrong[:20]:
        print(line)
    return bool(first) and not wrong


async def interop(options: argparse.Namespace) -> bool:
    directory = Path(tempfile.mkdtemp(prefix="minimix-interop-"))
    place = Place(directory, options.late)
    comparison = Comparison(place, directory)
    start = time.monotonic()
    good = False
    try:
        await place.start()
        await comparison.compare(options.rounds, options.tests)
        # Both are to be printed.
        good = all([report_sets(comparison.tallies), report_rooms(Watch(place.log))])
        print(f"{'passed' if good else 'failed'} in {time.monotonic() - start:.0f} s")
        return good
    except SuiteFailed as failure:
        print(failure)
        return False
    finally:
        await place.stop()
        if good and not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"logs and data: {directory}")


def main() -> None:
    options = arguments()
    check_built()
    if not JARS.exists():
        sys.exit(f"{JARS.relative_to(CHECKOUT)} is missing: run 'make deps'")
    try:
        sys.exit(0 if signals.run(interop(options)) else 1)
    except ServerFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
