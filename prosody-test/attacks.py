#!/usr/bin/env python3
"""Measures what hostile rooms and sessions do to somebody else on the same server, with the module and without it.

attacks.py               all attacks, each on a fresh server
attacks.py show block    those whose names have one of these words
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass

from attacking.attacks import ATTACKS, Attack
from attacking.bystander import Waits
from attacking.world import FAKETIME, World
from harness.report import server_errors
from lab import signals
from lab.prosody import check_built

SECONDS = 20
GONE_S = 600
MOST_MS = 50
MOST_OF_PLAIN = 1.5  # of what the server makes him wait without the module, where that is more
MOST_GROWTH = 1.10
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Result:
    """What an attack did: the bystander's waits, and the server's memory before, during and ten minutes after."""

    waits: Waits
    before: int
    during: int
    after: int

    @property
    def growth(self) -> float:
        return self.after / self.before

    @property
    def wait_ms(self) -> float:
        return max(self.waits.ping, self.waits.message)

    def missed(self, plain: "Result") -> list[str]:
        """What is over its limit. Nobody can wait for less than without the module."""
        slow = self.wait_ms > max(MOST_MS, MOST_OF_PLAIN * plain.wait_ms)
        return ["wait"] * slow + ["memory"] * (self.growth > MOST_GROWTH)

    def __str__(self) -> str:
        waits = f"{self.waits.ping:6.0f} {self.waits.message:6.0f} {self.waits.worst:6.0f}"
        memory = " ".join(f"{size / MEGABYTE:6.1f}" for size in (self.before, self.during, self.after))
        return f"{waits}   {memory} {self.growth:6.2f}"


async def play(attack: Attack, with_module: bool, seconds: float, keep: bool) -> tuple[Result, list[str]]:
    world = World(with_module)
    try:
        await world.start()
        # the first of everything is no growth: of what modules load, of caches, of the log
        await (await world.watch(1)).waits()
        before = await world.memory()
        act = await attack.prepare(world)
        watch = await world.watch(seconds)
        await act(seconds)
        waits = await watch.waits()
        during = await world.memory()
        await world.after(GONE_S)
        return Result(waits, before, during, await world.memory()), server_errors(world)
    finally:
        await world.end(keep)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What attacks do to a bystander")
    parser.add_argument("words", nargs="*", help="of the names of the attacks to play")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each goes on")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data")
    return parser.parse_args()


async def compare(attack: Attack, options: argparse.Namespace) -> list[str]:
    """Plays it without the module and with it, prints both, and gives what was missed."""
    plain, _ = await play(attack, False, options.seconds, options.keep)
    ours, errors = await play(attack, True, options.seconds, options.keep)
    missed = [*ours.missed(plain), *(f"server error: {error}" for error in errors[:3])]
    print(f"{attack.name:70} {ours}   {', '.join(missed)}")
    print(f"{'    without the module':70} {plain}", flush=True)
    return missed


async def run(options: argparse.Namespace) -> bool:
    begun = time.monotonic()
    chosen = [attack for attack in ATTACKS if not options.words or any(word in attack.name for word in options.words)]
    print(f"{'':70} a bystander waits, ms     memory, MB: before, during, 10 min after")
    print(f"{'':70}   ping message worst")
    bad = []
    for attack in chosen:
        bad += await compare(attack, options)
    print(f"{len(chosen)} attacks in {time.monotonic() - begun:.0f} s, {len(bad)} figures missed")
    return not bad


def main() -> None:
    options = arguments()
    check_built()
    if not FAKETIME:
        sys.exit("no libfaketime: run 'make attack-test', which installs it")
    sys.exit(0 if signals.run(run(options)) else 1)


if __name__ == "__main__":
    main()
