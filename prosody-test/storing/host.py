"""A server with the module, and what is measured there. What its accounts' many rooms are at is another."""

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from client import xml
from client.person import Person
from lab import network, prosody
from lab.lab import Endpoint
from lab.prosody import Host, Settings
from lab.server import Server
from storing import records

HOST, PLAIN = "with.lab", "plain.lab"
FAR, ROOMS = "far.lab", "rooms.far.lab"
GAUGE, COUNTER = "urn:lab:gauge", "urn:lab:counter"
POLL_S = 0.5
CHANGED_S = 120  # in which the module is loaded anew, or gone


def service(number: int) -> str:
    return f"silent{number}.far.lab"


@dataclass(frozen=True)
class Reading:
    """What the server did since the last reading, and how much memory it has."""

    stores: dict[str, dict[str, float]]  # by store and method
    held_ms: float  # the longest time in which it did nothing else, as a clock shows it
    worked_ms: float  # the same by the processor, whatever else runs on the machine
    lua_bytes: int
    resident_bytes: int

    def count(self, name: str) -> int:
        return int(self.stores.get(name, {}).get("count", 0))

    def longest_s(self, name: str) -> float:
        return self.stores.get(name, {}).get("longest", 0)

    @property
    def writes(self) -> int:
        return self.count("minimix.set_keys") + self.count("minimix.set")


@dataclass(frozen=True)
class Change:
    """What a change of the module took, in seconds by the clock and of the processor."""

    took_s: float
    worked_s: float


@dataclass(frozen=True)
class Asked:
    """What the silent services were sent."""

    rooms: int  # how many pairs of account and room were asked
    most: int  # how often one of them was
    presences: int
    others: int


class Gauged:
    """A server with the gauge, and who reads that."""

    def __init__(self, name: str):
        self.directory = Path(tempfile.mkdtemp(prefix=f"minimix-{name}-"))
        self.base = network.own_network()
        self._a: Server | None = None
        self.endpoint: Endpoint | None = None
        self._watcher: Person | None = None

    @property
    def logs(self) -> list[Path]:
        return sorted(self.directory.glob("*/debug.log"))

    async def start(self) -> None:
        await self._a.start()
        self._watcher = await self.person("watcher", f"watcher@{PLAIN}")

    async def stop(self) -> None:
        if self._watcher:
            await self._watcher.stop()
        await self._a.stop()

    async def end(self, keep: bool) -> None:
        await self.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def read(self, collect: bool = False) -> Reading:
        attribute = " collect='1'" if collect else ""
        report = await self._ask(HOST, f"<gauge xmlns='{GAUGE}'{attribute}/>")
        stores, held = report["stores"] or {}, report["held"]
        return Reading(
            stores=stores if isinstance(stores, dict) else {},
            held_ms=held["wall"] * 1000,
            worked_ms=held["cpu"] * 1000,
            lua_bytes=report["lua_bytes"],
            resident_bytes=self._a.resident_bytes(),
        )

    async def change(self, does: str) -> Change:
        """Has the module loaded anew, or unloaded, or a plain loop send and write as much as that does."""
        question = self._watcher.send_query("get", HOST, f"<gauge xmlns='{GAUGE}' does='{does}'/>")
        answer = await self._watcher.expect(xml.answer(question), timeout=CHANGED_S)
        report = json.loads("".join(answer[0].itertext()))
        return Change(report["took"], report["worked"])

    async def _ask(self, whom: str, payload: str) -> dict:
        answer = await self._watcher.query("get", whom, payload)
        return json.loads("".join(answer[0].itertext()))

    async def person(self, resource: str, account: str = f"newcomer@{HOST}") -> Person:
        """A device of an account, online. Of the newcomer nothing is stored yet."""
        person = Person(self.endpoint, account, resource)
        await person.go_online()
        return person

    def _prosody(
        self, name: str, address: str, s2s_port: int, hosts: list[Host], peers: dict, options: dict | None = None
    ) -> tuple[Server, Endpoint]:
        directory = self.directory / name
        settings = Settings(
            directory=directory,
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            hosts=hosts,
            peers=peers,
            options={"log": prosody.short_log(directory), "limits": {}, **(options or {})},
        )
        server = Server(f"Prosody {name.upper()}", prosody.command(settings), directory)
        return server, Endpoint(address, settings.c2s_port)


class Scene(Gauged):
    """Both servers. Server A is started anew for each measurement that needs that."""

    def __init__(self, services: int):
        super().__init__("storing")
        self.services = [service(number) for number in range(services)]
        here, there = f"{self.base}.1", f"{self.base}.2"
        at_here, at_there = network.free_port(here), network.free_port(there)
        near = [Host(HOST, modules=["lab_gauge"]), Host(PLAIN)]
        silent = [Host(name, component="lab_counter") for name in self.services]
        far = [Host(FAR), Host(ROOMS, rooms=True), *silent]
        self._a, self.endpoint = self._prosody("a", here, at_here, near, {host.name: (there, at_there) for host in far})
        self._b, _ = self._prosody("b", there, at_there, far, {host.name: (here, at_here) for host in near})

    async def start_remote(self) -> None:
        await self._b.start()

    async def end(self, keep: bool) -> None:
        await self._b.stop()
        await super().end(keep)

    def write_records(self, accounts: int, rooms: int) -> None:
        records.write(self.directory / "a" / "data", HOST, accounts, rooms, self.services)

    async def asked(self) -> Asked:
        reports = [await self._ask(name, f"<counter xmlns='{COUNTER}'/>") for name in self.services]
        total = {key: sum(report[key] for report in reports) for key in ("rooms", "presences", "others")}
        return Asked(most=max(report["most"] for report in reports), **total)


async def until(is_so, seconds: float) -> bool:
    """Waits until something is so; false if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            while not await is_so():
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True
