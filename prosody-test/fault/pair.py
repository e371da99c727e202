"""The two servers that one fault is done to, and the wires between them.

Server A has the accounts, on one host with the module and on one without it, and rooms. Server B has the judges, and
rooms. All that one server sends to the other goes through a proxy, one in front of each.
"""

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

import ejabberd
from lab import container, network, storage
from lab.lab import Endpoint
from lab.names import Names
from lab.prosody import Host, Settings
from lab.proxy import Proxy
from lab.server import Server

MODULE = "with.lab"
PLAIN = "plain.lab"
FAR = "far.lab"
LOCAL_ROOMS = "rooms.lab"
REMOTE_ROOMS = "rooms.far.lab"
BRIEF_ROOMS = "brief.far.lab"  # whose rooms are temporary
# Each direction has streams of its own, so that one can be cut without the other.
OPTIONS = {"modules_disabled": ["s2s_auth_certs", "s2s_bidi"]}
# More rooms than a service keeps in memory would be stored with all who are in them, and survive a kill so.
LASTING = {"muc_room_default_persistent": True, "muc_room_cache_size": 1000}


class Side:
    """One of the two servers, with the proxy in front of it."""

    def __init__(self, server: Server, proxy: Proxy, endpoint: Endpoint):
        self.endpoint = endpoint
        self.proxy = proxy
        self.up = asyncio.Event()
        self._server = server

    @property
    def directory(self) -> Path:
        return self._server.directory

    async def start(self) -> None:
        await self.proxy.listen()
        await self._server.start()
        self.up.set()

    async def stop(self) -> None:
        self.up.clear()
        await self._server.stop()
        self.proxy.refuse()

    async def kill(self) -> None:
        self.up.clear()
        await self._server.kill()
        self.proxy.refuse()

    async def pause(self) -> None:
        await self._server.pause()

    async def go_on(self) -> None:
        await self._server.go_on()


class Pair:
    """Both servers, up between `start` and `end`.

    `talks` says that they log all that they do, which takes its time. Server B is an ejabberd if `remote` says so. `stores`
    says where server A keeps its data. Every Prosody runs in a container of `image`, if there is one.
    """

    def __init__(
        self,
        name: str,
        talks: bool,
        remote: str = "prosody",
        stores: str = "internal",
        image: str | None = None,
    ):
        self._image = image
        self._level = "debug" if talks else "info"
        self._names: Names | None = None
        self.directory = Path(tempfile.mkdtemp(prefix=f"minimix-fault-{re.sub(r'[^A-Za-z0-9]+', '-', name)}-"))
        base = network.own_network()
        at_a, at_b = f"{base}.1", f"{base}.2"
        to_a = Proxy(_place(f"{base}.3"), _place(at_a))
        to_b = Proxy(_place(f"{base}.4"), _place(at_b))
        near = [Host(MODULE, modules=["minimix"]), Host(PLAIN), Host(LOCAL_ROOMS, rooms=True, options=LASTING)]
        far = [Host(FAR), Host(REMOTE_ROOMS, rooms=True, options=LASTING), Host(BRIEF_ROOMS, rooms=True)]
        self._storage = storage.of_kind(stores, self.directory / "a", f"{base}.5")
        self.a = self._side("a", to_a, near, {host.name: to_b.where for host in far}, self._storage.options)
        to_near = {host.name: to_a.where for host in near}
        self.b = self._ejabberd(to_b, to_near) if remote == "ejabberd" else self._side("b", to_b, far, to_near, {})

    @property
    def logs(self) -> list[Path]:
        return sorted(self.directory.glob("*/*.log"))

    def side(self, host: str) -> Side:
        return self.b if host == FAR else self.a

    async def start(self) -> None:
        if self._names:
            await self._names.start()
        await self._storage.start()
        await asyncio.gather(self.a.start(), self.b.start())

    async def end(self, keep: bool) -> None:
        for side in (self.a, self.b):
            await side.stop()
        await self._storage.stop()
        if self._names:
            await self._names.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def order(self, words: str) -> None:
        """Gives an order to the shell of server A."""
        quiet = asyncio.subprocess.DEVNULL
        argv = container.shell(self.a.directory, words, self._image)
        process = await asyncio.create_subprocess_exec(*argv, stdin=quiet, stdout=quiet, stderr=quiet)
        if await process.wait() != 0:
            raise AssertionError(f"the shell refused {words!r}")

    def _side(
        self, name: str, proxy: Proxy, hosts: list[Host], peers: dict[str, tuple[str, int]], options: dict[str, object]
    ) -> Side:
        address, s2s_port = proxy.target
        settings = Settings(
            directory=self.directory / name,
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            hosts=hosts,
            peers=peers,
            options=OPTIONS | options | {"log": self._log(self.directory / name / "debug.log")},
        )
        server = Server(f"Prosody {name.upper()}", container.command(settings, self._image), settings.directory)
        return Side(server, proxy, Endpoint(address, settings.c2s_port))

    def _log(self, file: Path) -> list[dict[str, object]]:
        to_file = {"levels": {"min": self._level}, "to": "file", "filename": file}
        return [to_file, {"levels": {"min": "info"}, "to": "console"}]

    def _ejabberd(self, proxy: Proxy, peers: dict[str, tuple[str, int]]) -> Side:
        address, s2s_port = proxy.target
        name_server = (address, network.free_port(address, network.DATAGRAM))
        self._names = Names(peers, *name_server)
        settings = ejabberd.Settings(
            directory=self.directory / "b",
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            host=FAR,
            rooms=REMOTE_ROOMS,
            name_server=name_server,
            longest_silence_s=300,
        )
        server = Server("ejabberd", ejabberd.command(settings), settings.directory)
        return Side(server, proxy, Endpoint(address, settings.c2s_port))


def _place(address: str) -> tuple[str, int]:
    return address, network.free_port(address)
