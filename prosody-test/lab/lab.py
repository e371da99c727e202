"""The two servers that the stories run on.

Server A has the accounts, with the module (`with.lab`) and without it (`without.lab`), and two room services, one of
which answers late. Server B is another server, with accounts and rooms of its own, reached by real s2s.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import ejabberd
from lab import container, guests, irc, network, prosody, storage
from lab.names import Names
from lab.prosody import Host, Settings
from lab.server import Server

WITH = "with.lab"
WITHOUT = "without.lab"
# As WITH, and answers those whom an account blocks with errors, and waits a second for a stream to be resumed.
BOUNCING = "bouncing.lab"
DOWN = "rooms.down.lab"  # a service whose server is not there
FAR = "far.lab"
PUPPETS = "puppet.far.lab"
CHANNELS = "irc.far.lab"
SERVICES = {
    "local": "rooms.lab",
    "slow": "slow.lab",
    "remote": "rooms.far.lab",
    "puppet": PUPPETS,
    "guarded": guests.GUARDED,
    "irc": CHANNELS,
}
SECRET = "gateway"
EXCLUDED = "excluded"  # the name of a room, in each service, that the module leaves alone


@dataclass(frozen=True)
class Endpoint:
    """Where the clients of a host connect to."""

    address: str
    port: int
    web_port: int = 0


def excluded_rooms() -> list[str]:
    return [f"{EXCLUDED}@{SERVICES['local']}", f"{EXCLUDED}@{SERVICES['remote']}", f"#{EXCLUDED}@{CHANNELS}"]


class Lab:
    """Both servers, up between `start` and `stop`.

    Server B is a Prosody, or an ejabberd if `remote` says so; then there are no puppets. If it says irc, it is a Prosody
    with a gateway to an IRC server. Every Prosody runs in a container of `image`, if there is one. `stores` says where
    server A keeps its data.
    """

    def __init__(
        self, with_module: bool = True, remote: str = "prosody", image: str | None = None, stores: str = "internal"
    ):
        self.remote = remote
        self._image = image
        self._stores = stores
        self.directory = Path(tempfile.mkdtemp(prefix="minimix-lab-"))
        self._endpoints: dict[str, Endpoint] = {}
        self._settings: dict[str, Settings] = {}
        self._servers = self._two_servers(with_module, remote)

    def endpoint(self, host: str) -> Endpoint:
        return self._endpoints[host]

    @property
    def logs(self) -> list[Path]:
        return sorted([*self.directory.glob("*/debug.log"), *self.directory.glob("*/ejabberd.log")])

    async def order(self, words: str) -> str:
        """Gives an order to the shell of server A, and returns its answer."""
        process = await asyncio.create_subprocess_exec(
            *container.shell(self._servers[0].directory, words, self._image),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise AssertionError(f"the shell refused {words!r}: {output.decode()}")
        return output.decode()

    async def exclude(self, *patterns: str) -> None:
        """Lets server A read anew what the module leaves alone: these besides what it always does."""
        settings = self._settings["a"]
        for host in settings.hosts:
            if host.name == WITH:
                host.options["minimix_exclude"] = [*excluded_rooms(), *patterns]
        prosody.write(settings)
        await self.order("config reload")

    async def start(self) -> None:
        await self.storage.start()
        for server in self._servers:
            await server.start()

    async def restart(self, killed: bool = False, torn: bool = False) -> None:
        """Server A is stopped, or killed, perhaps while it wrote, and started again with the data that it has."""
        server = self._servers[0]
        await (server.kill() if killed else server.stop())
        if torn:
            self.storage.tear()
        await server.start()

    @contextlib.asynccontextmanager
    async def deaf(self) -> AsyncIterator[None]:
        """Server A hears nothing of what happens, is killed then, and started again with the data that it has."""
        server = self._servers[0]
        await server.pause()
        yield
        await server.kill()
        await server.start()

    async def restart_remote(self, meanwhile: Callable[[], Awaitable[None]], killed: bool = False) -> None:
        """Server B is stopped, or killed, and after what happens meanwhile started again with the data that it has."""
        server = self._servers[-1]
        await (server.kill() if killed else server.stop())
        try:
            await meanwhile()
        finally:
            await server.start()

    @property
    def log(self) -> Path:
        """What server A has logged."""
        return self.directory / "a" / "debug.log"

    async def stop(self, keep: bool) -> None:
        for server in reversed(self._servers):
            await server.stop()
        await self.storage.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _two_servers(self, with_module: bool, remote: str) -> list[Server | Names]:
        base = network.own_network()
        here, there = f"{base}.1", f"{base}.2"
        here_s2s, there_s2s = network.free_port(here), network.free_port(there)
        modules = ["minimix"] if with_module else []
        near = [
            Host(WITH, modules=modules, options={"minimix_exclude": excluded_rooms(), "minimix_archive": "off"}),
            Host(WITHOUT),
            Host(BOUNCING, modules=modules, options={"minimix_archive": "off", "bounce_blocked_messages": True, "smacks_hibernation_time": 1}),
            Host(SERVICES["local"], rooms=True, modules=["lab_waits"]),
            Host(SERVICES["slow"], rooms=True, modules=["lab_delay"]),
            *guests.hosts(modules),
            *guests.services(),
        ]
        far = [Host(FAR), Host(SERVICES["remote"], rooms=True), Host(PUPPETS, component="lab_puppet"), Host(guests.PUSH, component="lab_push")]
        if remote == "irc":
            far.append(Host(CHANNELS, secret=SECRET))
        to_near = {host.name: (here, here_s2s) for host in near}
        nowhere = {DOWN: (here, network.free_port(here))}
        self.storage = storage.of_kind(self._stores, self.directory / "a", f"{base}.5")
        peers = nowhere | {host.name: (there, there_s2s) for host in far}
        server_a = self._prosody("a", here, here_s2s, near, peers, self.storage.options)
        if remote == "ejabberd":
            return [server_a, *self._ejabberd(there, there_s2s, to_near)]
        if remote == "irc":
            return [server_a, *self._with_gateway(there, f"{base}.3", there_s2s, far, to_near)]
        return [server_a, self._prosody("b", there, there_s2s, far, to_near)]

    def _with_gateway(
        self, address: str, irc_address: str, s2s_port: int, hosts: list[Host], peers: dict
    ) -> list[Server]:
        settings = irc.Settings(
            directory=self.directory / "irc",
            irc_address=irc_address,
            xmpp_address=address,
            xmpp_port=network.free_port(address),
            component=CHANNELS,
            secret=SECRET,
        )
        options = {"component_interfaces": [address], "component_ports": [settings.xmpp_port]}
        return [
            Server("ngircd", irc.server(settings), settings.directory),
            self._prosody("b", address, s2s_port, hosts, peers, options),
            Server("biboumi", irc.gateway(settings), settings.directory),
        ]

    def _ejabberd(self, address: str, s2s_port: int, peers: dict) -> list[Server | Names]:
        name_server = (address, network.free_port(address, network.DATAGRAM))
        settings = ejabberd.Settings(
            directory=self.directory / "b",
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            host=FAR,
            rooms=SERVICES["remote"],
            name_server=name_server,
        )
        self._endpoints[FAR] = Endpoint(address, settings.c2s_port)
        server = Server("ejabberd", ejabberd.command(settings), settings.directory)
        return [Names(peers, *name_server), server]

    def _prosody(
        self,
        name: str,
        address: str,
        s2s_port: int,
        hosts: list[Host],
        peers: dict,
        options: dict[str, object] | None = None,
    ) -> Server:
        web_port = network.free_port(address)
        settings = Settings(
            directory=self.directory / name,
            address=address,
            c2s_port=network.free_port(address),
            s2s_port=s2s_port,
            hosts=hosts,
            peers=peers,
            options=prosody.web_options(address, web_port) | (options or {}),
        )
        self._settings[name] = settings
        for host in hosts:
            self._endpoints[host.name] = Endpoint(address, settings.c2s_port, web_port)
        return Server(f"Prosody {name.upper()}", container.command(settings, self._image), settings.directory)
