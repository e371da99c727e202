#!/usr/bin/env python3
"""Measures what the records of many accounts cost a real server: reading them, keeping them, and writing them.

storage.py                 10 000 accounts with 10 rooms each
storage.py --small         500 accounts, and the host at rest for a shorter time
storage.py --accounts 20   so many
"""

import argparse
import asyncio
import operator
import sys
import time
from collections.abc import Callable

from harness.report import server_errors
from lab import signals
from lab.prosody import check_built
from storing.figures import Figure
from storing.host import ROOMS, Reading, Scene, until

ROOMS_OF_EACH = 10
SERVICES = 20
ACCOUNTS, SMALL_ACCOUNTS = 10_000, 500
REST_S, SMALL_REST_S = 60, 5
WRITTEN_S = 6  # a change is stored 5 s later at the latest
ALIVE_S = 30
SETTLED_S = 2
READ_S = 60
STOPPED_S = 10
UNLOADED_S = 5 / 50_000  # a room
ASKED_PER_S = 20  # of one service, at the least
MESSAGES = 50


class Bench:
    def __init__(self, scene: Scene, accounts: int, rest_s: float):
        self._scene = scene
        self._accounts = accounts
        self._rooms = accounts * ROOMS_OF_EACH
        self._rest_s = rest_s
        self.figures: list[Figure] = []

    def _note(self, name: str, value: float, unit: str = "", most: float | None = None) -> None:
        self.figures.append(Figure(name, value, unit, most))

    async def measure(self) -> None:
        await self._scene.start_remote()
        before = await self._without_records()
        self._scene.write_records(self._accounts, ROOMS_OF_EACH)
        after = await self._reading()
        self._memory(before, after)
        await self._asking()
        await self._using()
        await self._resting()
        self._note("the module is loaded anew in", (await self._scene.change("reload")).took_s, "s")
        await self._stopping()
        await self._unloading()

    async def _without_records(self) -> Reading:
        """What the server has when nothing is stored."""
        await self._scene.start()
        await asyncio.sleep(SETTLED_S)
        await self._scene.read(collect=True)
        reading = await self._scene.read(collect=True)
        await self._scene.stop()
        return reading

    async def _start(self) -> list[Reading]:
        """Starts the server, and waits until it has read all accounts."""
        await self._scene.start()
        readings: list[Reading] = []

        async def is_read() -> bool:
            readings.append(await self._scene.read())
            return sum(reading.count("minimix.get") for reading in readings) >= self._accounts

        await until(is_read, 2 * READ_S)
        return readings

    async def _reading(self) -> Reading:
        begun = time.monotonic()
        readings = await self._start()
        took_s = time.monotonic() - begun
        self._note("the accounts are listed in", self._most(readings, lambda r: r.longest_s("minimix.users")), "s", 0.3)
        self._note("all of them are read, from the start of the server", took_s, "s", READ_S)
        self._note("accounts that are read", sum(reading.count("minimix.get") for reading in readings))
        self._note("meanwhile others wait at most", self._most(readings, operator.attrgetter("worked_ms")), "ms", 20)
        self._note("… by the clock", self._most(readings, operator.attrgetter("held_ms")), "ms")
        self._note("writes because of that", sum(reading.writes for reading in readings), "", 0)
        await self._scene.read(collect=True)
        return await self._scene.read(collect=True)

    @staticmethod
    def _most(readings: list[Reading], of: Callable[[Reading], float]) -> float:
        return max(map(of, readings))

    def _memory(self, before: Reading, after: Reading) -> None:
        resident = (after.resident_bytes - before.resident_bytes) / self._rooms
        in_lua = (after.lua_bytes - before.lua_bytes) / self._rooms
        self._note("memory for each room of each account, of the process", resident, "B", 1_200)
        self._note("… of it in Lua", in_lua, "B")

    async def _asking(self) -> None:
        """Each silent room is asked once, in its turn, and none is joined."""
        readings: list[Reading] = []
        begun = time.monotonic()

        async def are_asked() -> bool:
            readings.append(await self._scene.read())
            return (await self._scene.asked()).rooms >= self._rooms

        await until(are_asked, SETTLED_S * 10 + self._rooms / SERVICES / ASKED_PER_S)
        took_s = time.monotonic() - begun
        await asyncio.sleep(SETTLED_S)
        asked = await self._scene.asked()
        self._note("rooms that are not asked whether the account is in", self._rooms - asked.rooms, "", 0)
        self._note(f"… {SERVICES} services, after all is read", took_s, "s")
        self._note("queries to one room for one account, at most", asked.most, "", 1)
        self._note("presences to rooms", asked.presences, "", 0)
        self._note("anything else to rooms", asked.others, "", 0)
        self._note("meanwhile others wait at most", self._most(readings, operator.attrgetter("worked_ms")), "ms", 20)
        self._note("… by the clock", self._most(readings, operator.attrgetter("held_ms")), "ms")
        self._note("writes because of that", sum(reading.writes for reading in readings), "", 0)

    async def _using(self) -> None:
        """A session joins, which is stored; then another attaches, people talk, and both go."""
        room = f"lounge@{ROOMS}"
        phone = await self._scene.person("phone")
        await phone.join(room, "me")
        await asyncio.sleep(WRITTEN_S)
        self._note("writes when an account joins a room", (await self._scene.read()).writes, "", 2)
        laptop = await self._scene.person("laptop")
        await laptop.join(room, "me")
        await asyncio.sleep(WRITTEN_S)
        self._note("writes when a second session attaches", (await self._scene.read()).writes, "", 0)
        await phone.say("the first")  # the room, which has an archive, is asked what it is
        await asyncio.sleep(WRITTEN_S)
        self._note("writes because of the first message", (await self._scene.read()).writes, "", 0)
        for number in range(MESSAGES):
            await phone.say(f"line {number}")
        await asyncio.sleep(WRITTEN_S)
        self._note(f"writes because of {MESSAGES} more", (await self._scene.read()).writes, "", 0)
        await phone.stop()
        await laptop.stop()
        await asyncio.sleep(WRITTEN_S)
        self._note("writes when all sessions have detached", (await self._scene.read()).writes, "", 0)

    async def _resting(self) -> None:
        await asyncio.sleep(self._rest_s)
        reading = await self._scene.read()
        own = reading.count("minimix_host.set")
        self._note(f"writes of accounts, at rest for {self._rest_s:g} s", reading.writes, "", 0)
        self._note("… of the host", own, "", self._rest_s // ALIVE_S + 1)

    async def _stopping(self) -> None:
        begun = time.monotonic()
        await self._scene.stop()
        self._note("the server stops in", time.monotonic() - begun, "s", STOPPED_S)

    async def _unloading(self) -> None:
        """The module goes for good: each account leaves its rooms. Prosody needs most of that, so a loop shows how much."""
        await self._start()
        plain = await self._scene.change("plain")
        unloaded = await self._scene.change("unload")
        self._note("the module is unloaded in, of the processor", unloaded.worked_s, "s", self._rooms * UNLOADED_S)
        self._note("… by the clock", unloaded.took_s, "s")
        self._note("… a loop that sends and writes as much, of the processor", plain.worked_s, "s")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the records of many accounts cost")
    parser.add_argument("--small", action="store_true", help="few accounts, and a short time at rest")
    parser.add_argument("--accounts", type=int, help="so many accounts")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> bool:
    start = time.monotonic()
    accounts = options.accounts or (SMALL_ACCOUNTS if options.small else ACCOUNTS)
    scene = Scene(SERVICES)
    bench = Bench(scene, accounts, SMALL_REST_S if options.small else REST_S)
    keep = True
    try:
        await bench.measure()
        keep = options.keep
    finally:
        await scene.stop()
        errors = server_errors(scene)
        print(f"{accounts} accounts in {ROOMS_OF_EACH} rooms each")
        print(*bench.figures, *(f"server error: {error}" for error in errors[:10]), sep="\n")
        await scene.end(keep)
        if keep:
            print(f"logs and data: {scene.directory}")
    bad = [figure.name for figure in bench.figures if figure.is_bad]
    print(f"{len(bench.figures)} figures in {time.monotonic() - start:.0f} s, {len(bad)} missed, {len(errors)} server errors")
    return not bad and not errors


def main() -> None:
    options = arguments()
    check_built()
    sys.exit(0 if signals.run(run(options)) else 1)


if __name__ == "__main__":
    main()
