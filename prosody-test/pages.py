#!/usr/bin/env python3
"""Measures what a page of an account's archive costs a real server, with the messages of its rooms in it.

pages.py                                10 000 messages in a room, and in 20 rooms, with each kind of storage
pages.py --messages 1000                so many
pages.py --storage internal sqlite      with these
"""

import argparse
import statistics
import sys
import time

from client.archive import page
from client.person import Person
from harness.report import server_errors
from lab import signals, storage
from lab.prosody import check_built
from storing.figures import Figure
from storing.host import HOST, Reading, until
from storing.logs import PATIENCE_S, ROOMS, Asked, LogScene

MESSAGES = 10_000
MANY = 20  # rooms
REPEATED = 5
JOINED = 1_000  # messages that a join asks for
MOST_HELD_MS = {"internal": 60, "sqlite": 20, "postgresql": 20}


class Bench:
    """All queries to one archive."""

    def __init__(self, scene: LogScene, stores: str, rooms: int, messages: int):
        self._scene = scene
        self._most_ms = MOST_HELD_MS[stores]
        # A database that is a process of its own works while the server waits, and then the loop is held by the clock alone.
        self._is_by_clock = stores == "postgresql"
        self._messages = messages
        self._rooms = [f"room{rooms}-{number}@{ROOMS}" for number in range(rooms)]
        self._account = f"account{rooms}@{HOST}"
        self.figures: list[Figure] = []

    async def measure(self) -> None:
        written = self._scene.written
        phone = await self._scene.fill(self._account, self._rooms, self._messages)
        self._note("the first page after a burst", [await self._scene.ask(phone, page(before=""))], True)
        await self._written(written + self._messages)
        ids = await self._some_ids(phone)
        middle, early = ids[len(ids) // 2], ids[1]
        await self._measure(phone, "the last page", page(before=""))
        await self._measure(phone, "the first page", page())
        await self._measure(phone, "a page after one in the middle", page(after=middle))
        await self._measure(phone, "a page before one in the middle", page(before=middle))
        await self._measure(phone, "the last page between two", page(before=""), after_id=early, before_id=middle)
        await self._measure(phone, "the last page of one room", page(before=""), **{"with": self._rooms[0]})
        await self._measure(phone, "the last page with a contact", page(before=""), **{"with": "nobody@plain.lab"})
        await self._measure(phone, "the first page since a time", page(), start=_time_of(middle))
        await self._measure(phone, "one message by its id", "", ids=middle)
        await self._measure(phone, "how many there are", page(0))
        await phone.stop()
        joins = [await self._scene.join(self._account, room, JOINED) for room in self._rooms[:REPEATED]]
        self._note(f"a join that is shown {joins[0].said} messages", joins)

    async def _written(self, messages: int) -> None:
        async def all_are_written() -> bool:
            await self._scene.read()
            return self._scene.written >= messages

        if not await until(all_are_written, PATIENCE_S):
            raise AssertionError(f"{self._scene.written} of {messages} messages have been written")
        await self._scene.read(collect=True)

    async def _some_ids(self, phone: Person) -> list[str]:
        """One of each page, oldest first."""
        ids, last = [], None
        while True:
            asked = await self._scene.ask(phone, page(after=last) if last else page())
            ids += asked.page.ids[:1]
            last = asked.page.last
            if asked.page.is_complete:
                return ids

    async def _measure(self, phone: Person, name: str, inside: str, **fields: str) -> None:
        self._note(name, [await self._scene.ask(phone, inside, **fields) for _ in range(REPEATED)])

    def _note(self, name: str, asked: list[Asked], is_told_only: bool = False) -> None:
        def median(of) -> float:
            return statistics.median(map(of, asked))

        def worked_ms(each: Asked) -> float:
            return each.reading.held_ms if self._is_by_clock else each.reading.worked_ms

        most_ms = None if is_told_only else self._most_ms
        self.figures += [
            Figure(f"{name}: others wait", median(worked_ms), "ms", most_ms),
            Figure("… by the clock", median(lambda each: each.reading.held_ms), "ms"),
            Figure("… the client waits", median(lambda each: each.took_ms), "ms"),
            Figure("… reads of the store", median(lambda each: each.reading.count("minimix_log.find")), ""),
        ]


def _time_of(id: str) -> str:
    at_s = int(id.partition("-")[0], 16) / 1000
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a page of an archive costs")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="in the archive")
    parser.add_argument("--storage", nargs="+", choices=storage.KINDS, default=list(storage.KINDS), help="where it is kept")
    parser.add_argument("--keep", action="store_true", help="keep the server's log and data")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> bool:
    start = time.monotonic()
    figures, errors = [], []
    for stores in options.storage:
        scene = LogScene(stores)
        try:
            await scene.start()
            for rooms in (1, MANY):
                bench = Bench(scene, stores, rooms, options.messages)
                await bench.measure()
                print(f"{options.messages} messages in {rooms} rooms, {stores}")
                print(*bench.figures, sep="\n")
                figures += bench.figures
        finally:
            errors += server_errors(scene)
            print(*(f"server error: {error}" for error in errors[:10]), sep="\n")
            await scene.end(options.keep)
            if options.keep:
                print(f"log and data: {scene.directory}")
    bad = [figure.name for figure in figures if figure.is_bad]
    print(f"{len(figures)} figures in {time.monotonic() - start:.0f} s, {len(bad)} missed, {len(errors)} server errors")
    return not bad and not errors


def main() -> None:
    options = arguments()
    check_built()
    for stores in options.storage:
        storage.check_installed(stores)
    sys.exit(0 if signals.run(run(options)) else 1)


if __name__ == "__main__":
    main()
