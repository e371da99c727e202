"""A server as an operator runs it, at mod_limits' default rates, another that is hostile, and a clock that can be moved."""

import asyncio
import json
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from attacking.bystander import Waits
from client.person import Person
from harness.puppet import PUPPET
from lab import network, prosody
from lab.lab import Endpoint
from lab.prosody import Host, Module, Settings
from lab.server import Server

HOME, ROOMS = "home.lab", "rooms.lab"
FAR, FAR_ROOMS, PUPPETS = "far.lab", "rooms.far.lab", "puppet.far.lab"
SERVICES = [f"puppet{number}.far.lab" for number in range(8)]  # more of the hostile server
UNLIMITED = {kind: {"rate": "100mb/s", "burst": "2s"} for kind in ("c2s", "s2sin")}
GAUGE = "urn:lab:gauge"
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
SESSION_RATE = 10 * 1024  # bytes a second, mod_limits' default for a client
SERVER_RATE = 30 * 1024  # and for another server
PERIOD_S = 0.25
SETTLED_S = 3  # the library that moves the clock looks into its file once a second


class World:
    """Both servers, up between `start` and `end`."""

    def __init__(self, module: Module | None, limits: dict[str, object] | None = None):
        self._module = module
        self.directory = Path(tempfile.mkdtemp(prefix="minimix-attacks-"))
        self._clock = self.directory / "clock"
        self._people: list[Person] = []
        base = network.own_network()
        here, there = f"{base}.1", f"{base}.2"
        at_here, at_there = network.free_port(here), network.free_port(there)
        options = {"lab_loads_minimix": module is not None}
        near = [Host(HOME, modules=["lab_gauge"], options=options), Host(ROOMS, rooms=True)]
        puppets = [Host(name, component="lab_puppet") for name in [PUPPETS, *SERVICES]]
        far = [Host(FAR), Host(FAR_ROOMS, rooms=True), *puppets]
        to_far = {host.name: (there, at_there) for host in far}
        to_near = {host.name: (here, at_here) for host in near}
        self._a, self.home = self._prosody("a", here, at_here, near, to_far, {"limits": limits or {}})
        self._b, self.far = self._prosody("b", there, at_there, far, to_near, {"limits": UNLIMITED})
        self.handler: Person | None = None

    @property
    def logs(self) -> list[Path]:
        return sorted(self.directory.glob("*/debug.log"))

    async def start(self) -> None:
        self._clock.write_text("+0s")
        await self._b.start()
        await self._a.start()
        self.handler = await self.person("handler", FAR)

    async def end(self, keep: bool) -> None:
        for person in self._people:
            await person.stop()
        await self._a.stop()
        await self._b.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def person(self, name: str, host: str = HOME, resource: str = "one") -> Person:
        """Somebody who is online."""
        person = Person(self.home if host == HOME else self.far, f"{name}@{host}", resource)
        self._people.append(person)
        await person.go_online()
        return person

    async def emit(self, room: str, stanzas: str) -> None:
        """Sends stanzas as a room of the hostile server, and waits until they are on their way."""
        self.handler.send(f"<message to='{room}'><emit xmlns='{PUPPET}'>{stanzas}</emit></message>")
        await self.handler.synchronise()

    async def memory(self) -> int:
        """How many bytes the server has when all garbage is collected."""
        watcher = Person(self.home, f"watcher@{HOME}", "gauge")
        await watcher.go_online()
        for _ in range(2):
            answer = await watcher.query("get", HOME, f"<gauge xmlns='{GAUGE}' collect='1'/>")
        assert json.loads("".join(answer[0].itertext()))
        await watcher.stop()
        return self._a.resident_bytes()

    async def after(self, seconds: int) -> None:
        """Lets so much time pass for the server, at once, and lets it do what is due then."""
        await self._b.stop()
        for person in self._people:
            await person.stop()
        moved = sum(map(int, re.findall(r"\d+", self._clock.read_text()))) + seconds
        self._clock.write_text(f"+{moved}s")
        await asyncio.sleep(SETTLED_S)

    async def watch(self, seconds: float) -> "Watch":
        """Somebody else's day, for so long from now on."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("bystander.py")),
            *(self.home.address, str(self.home.port), f"bystander@{HOME}", f"quiet@{ROOMS}", str(seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        if await process.stdout.readline() != b"ready\n":
            raise AssertionError("the bystander could not begin")
        return Watch(process)

    def _prosody(
        self, name: str, address: str, s2s_port: int, hosts: list[Host], peers: dict, options: dict[str, object]
    ) -> tuple[Server, Endpoint]:
        directory = self.directory / name
        settings = Settings(
            directory=directory,
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            hosts=hosts,
            peers=peers,
            options={"log": prosody.short_log(directory), **options},
            module=self._module or Module(),
        )
        command = prosody.command(settings)
        if name == "a":
            command = replace(command, environment=command.environment | self._moved())
        return Server(f"Prosody {name.upper()}", command, directory), Endpoint(address, settings.c2s_port)

    def _moved(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
        }


class Watch:
    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process

    async def waits(self) -> Waits:
        output = await self._process.stdout.read()
        await self._process.wait()
        return Waits(**json.loads(output))


async def paced(rate: float, seconds: float, piece, send) -> int:
    """Sends one piece after the other, at that many bytes a second, and gives how many bytes they were."""
    clock = asyncio.get_running_loop().time
    begun, sent, number = clock(), 0, 0
    while clock() - begun < seconds:
        pieces = []
        while sent < rate * (clock() - begun + PERIOD_S):
            text = piece(number)
            number += 1
            sent += len(text)
            pieces.append(text)
        if pieces:
            await send("".join(pieces))
        await asyncio.sleep(PERIOD_S)
    return sent
