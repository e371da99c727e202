#!/usr/bin/env python3
"""Measures what hostile rooms and sessions do to somebody else on the same server, with the module and without it.

attacks.py               all attacks, each on a fresh server
attacks.py show block    those whose names have one of these words
attacks.py --budgets     how much memory one account, one domain and one occupant can occupy at worst
attacks.py --before DIR  with the module of another checkout too, which is built
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from attacking.attacks import ATTACKS, Attack
from attacking.bystander import Waits
from attacking.budgets import BUDGETS
from attacking.world import FAKETIME, UNLIMITED, World
from client.raw import Unexpected
from harness.report import server_errors
from lab import signals
from lab.prosody import Module, check_built

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
    during: int | None  # nothing if it did not answer then
    after: int | None

    @property
    def growth(self) -> float:
        return self.after / self.before if self.after else float("inf")

    @property
    def wait_ms(self) -> float:
        return max(self.waits.ping, self.waits.message)

    def missed(self, plain: "Result") -> list[str]:
        """What is over its limit. Nobody can wait for less than without the module."""
        slow = self.wait_ms > max(MOST_MS, MOST_OF_PLAIN * plain.wait_ms)
        return ["wait"] * slow + ["memory"] * (self.growth > MOST_GROWTH)

    def __str__(self) -> str:
        waits = f"{self.waits.ping:6.0f} {self.waits.message:6.0f} {self.waits.worst:6.0f}"
        sizes = (self.before, self.during, self.after)
        memory = " ".join(f"{size / MEGABYTE:6.1f}" if size else "  held" for size in sizes)
        return f"{waits}   {memory} {self.growth:6.2f}"


async def memory(world: World) -> int | None:
    try:
        return await world.memory()
    except Unexpected:
        return None


async def play(attack: Attack, module: Module | None, seconds: float, keep: bool) -> tuple[Result, list[str]]:
    world = World(module)
    try:
        await world.start()
        # the first of everything is no growth: of what modules load, of caches, of the log
        await (await world.watch(1)).waits()
        before = await world.memory()
        act = await attack.prepare(world)
        watch = await world.watch(seconds)
        await act(seconds)
        waits = await watch.waits()
        during = await memory(world)
        await world.after(GONE_S)
        return Result(waits, before, during, await memory(world)), server_errors(world)
    finally:
        await world.end(keep)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What attacks do to a bystander")
    parser.add_argument("words", nargs="*", help="of the names of the attacks to play")
    parser.add_argument("--budgets", action="store_true", help="look at what can be occupied, and play no attacks")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each goes on")
    parser.add_argument("--before", type=Path, help="another checkout, with whose module to compare")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data")
    return parser.parse_args()


async def compare(attack: Attack, options: argparse.Namespace) -> list[str]:
    """Plays it without the module and with it, prints both, and gives what was missed."""
    plain, _ = await play(attack, None, options.seconds, options.keep)
    ours, errors = await play(attack, Module(), options.seconds, options.keep)
    missed = [*ours.missed(plain), *(f"server error: {error}" for error in errors[:3])]
    print(f"{attack.name:70} {ours}   {', '.join(missed)}")
    if options.before:
        before, _ = await play(attack, Module.of(options.before.absolute()), options.seconds, options.keep)
        print(f"{'    before':70} {before}")
    print(f"{'    without the module':70} {plain}", flush=True)
    return missed


async def occupied(cause, module: Module | None, keep: bool) -> int:
    """By how many bytes the server grows, once all that was only needed meanwhile is collected."""
    world = World(module, UNLIMITED)
    try:
        await world.start()
        await (await world.watch(1)).waits()
        before = await world.memory()
        await cause(world)
        return await world.memory() - before
    finally:
        await world.end(keep)


async def look_at_budgets(options: argparse.Namespace) -> bool:
    print(f"{'':60} MB more than before: with the module, without, limit")
    bad = False
    for name, most, cause in BUDGETS:
        if options.words and not any(word in name for word in options.words):
            continue
        sizes = [await occupied(cause, module, options.keep) / MEGABYTE for module in (Module(), None)]
        print(f"{name:60} {sizes[0]:6.1f} {sizes[1]:6.1f} {most:6.0f}", flush=True)
        bad = bad or sizes[0] > most
    return not bad


async def run(options: argparse.Namespace) -> bool:
    if options.budgets:
        return await look_at_budgets(options)
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
