"""A server with the module whose account has been in rooms where much was said, and what its archive costs there."""

import time
from dataclasses import dataclass

from client import xml
from client.archive import Page, asks
from client.person import Person
from lab import network, storage
from lab.prosody import Host
from storing.host import HOST, PLAIN, Gauged, Reading

ROOMS = "rooms.lab"
MOST_UNSEEN = 200  # lines that the speaker has said and not been shown
PATIENCE_S = 600  # what waits may have to be written first
LINE = "This is what a usual message in a usual room looks like, and not much longer than that."


@dataclass(frozen=True)
class Asked:
    """One query to the archive."""

    page: Page | None
    took_ms: float  # as the client sees it
    reading: Reading
    said: int = 0  # messages that a join was shown


class LogScene(Gauged):
    """A server that has the rooms as well, and keeps its data as `stores` says."""

    def __init__(self, stores: str):
        super().__init__("pages")
        self.written = 0  # messages, as far as readings have told
        here = f"{self.base}.1"
        self._storage = storage.of_kind(stores, self.directory / "a", f"{self.base}.5")
        hosts = [
            Host(HOST, modules=["lab_gauge"]),
            Host(PLAIN),
            Host(ROOMS, rooms=True, options={"muc_log_by_default": False}),
        ]
        self._a, self.endpoint = self._prosody("a", here, network.free_port(here), hosts, {}, self._storage.options)

    async def start(self) -> None:
        await self._storage.start()
        await super().start()

    async def end(self, keep: bool) -> None:
        await super().end(keep)
        await self._storage.stop()

    async def read(self, collect: bool = False) -> Reading:
        reading = await super().read(collect)
        self.written += reading.count("minimix_log.append")
        return reading

    async def fill(self, account: str, rooms: list[str], lines: int) -> Person:
        """So many lines are said in the rooms, in turns, while no device of the account is there. One comes then."""
        phone = await self.person("phone", account)
        speaker = await self.person("desk", f"speaker@{PLAIN}")
        for room in rooms:
            await speaker.join(room, "bob")
            await phone.join(room, "me")
        await phone.stop()
        for number in range(lines):
            speaker.room = rooms[number % len(rooms)]
            id = speaker.send_message(f"{LINE} {number}")
            if number % MOST_UNSEEN == 0 or number == lines - 1:
                await speaker.expect(xml.message(id=id), PATIENCE_S)
                speaker.forget()
        await speaker.stop()
        return await self.person("phone", account)

    async def join(self, account: str, room: str, most: int) -> Asked:
        """A device joins, and is shown as many messages as it asks for, if there are as many."""
        device = await self.person("tablet", account)
        await self.read()
        begun = time.monotonic()
        await device.join(room, "me", f"<history maxstanzas='{most}'/>")
        took_ms = (time.monotonic() - begun) * 1000
        said = sum(stanza.findtext(f"{xml.CLIENT}body") is not None for stanza in device.received)
        await device.stop()
        return Asked(None, took_ms, await self.read(), said)

    async def ask(self, person: Person, inside: str, **fields: str) -> Asked:
        await self.read()
        begun = time.monotonic()
        page = await asks(person, inside, timeout=PATIENCE_S, **fields)
        took_ms = (time.monotonic() - begun) * 1000
        person.forget()
        if not isinstance(page, Page):
            raise AssertionError(f"{inside} {fields}: {page}")
        return Asked(page, took_ms, await self.read())
