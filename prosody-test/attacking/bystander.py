"""Somebody who has nothing to do with it: how long his server takes to answer him.

It runs as a process of its own, so that what the attackers are sent does not keep it from looking at its clock.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from client.person import Person
from client.raw import Unexpected
from lab.lab import Endpoint

PERIOD_S = 0.05
SHARE = 0.99


@dataclass(frozen=True)
class Waits:
    """How long he waited, in milliseconds: in 99 of 100 cases at most, and at worst."""

    ping: float
    message: float
    worst: float
    count: int


def _share(waits_ms: list[float]) -> float:
    return sorted(waits_ms)[min(len(waits_ms) - 1, int(len(waits_ms) * SHARE))]


async def _timed(waits_ms: list[float], act: Callable[[], Awaitable[object]]) -> None:
    begun = time.monotonic()
    with contextlib.suppress(Unexpected):  # so long at least
        await act()
    waits_ms.append((time.monotonic() - begun) * 1000)
    await asyncio.sleep(PERIOD_S)


async def watch(endpoint: Endpoint, account: str, room: str, seconds: float) -> Waits:
    """Pings the server and talks in a room of it, by turns, for so long."""
    person = Person(endpoint, account, "desk")
    await person.go_online()
    await person.join(room, "bystander")
    print("ready", flush=True)
    pings: list[float] = []
    messages: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await _timed(pings, lambda: person.ping(account.partition("@")[2]))
        await _timed(messages, lambda: person.say(f"line {len(messages)}"))
    with contextlib.suppress(Unexpected):
        await person.stop()
    return Waits(_share(pings), _share(messages), max(pings + messages), len(pings + messages))


def main() -> None:
    address, port, account, room, seconds = sys.argv[1:]
    waits = asyncio.run(watch(Endpoint(address, int(port)), account, room, float(seconds)))
    print(json.dumps(asdict(waits)))


if __name__ == "__main__":
    main()
