"""The Prosody that Smack's tests run against: four hosts, each with a room service, that differ in the module only."""

from dataclasses import dataclass
from pathlib import Path

from lab import network, prosody
from lab.names import CLIENTS, Names
from lab.prosody import MODULES, Host, Settings
from lab.server import Server

ADMIN = "admin"
PASSWORD = "secret"

NOT_HERE = ("dialback", "lab_peers")


@dataclass(frozen=True)
class Side:
    """One of the hosts, and what a reader calls it."""

    words: str
    host: str
    modules: tuple[str, ...] = ()

    @property
    def rooms(self) -> str:
        return f"rooms.{self.host}"


WITHOUT = Side("without the module", "without.lab")
WITH = Side("with the module", "with.lab", ("minimix",))
SECOND = Side("with a second session in every room", "second.lab", ("minimix", "lab_second"))
AHEAD = Side("with a second session in every room before", "ahead.lab", ("minimix", "lab_second"))
SIDES = [WITHOUT, WITH, SECOND, AHEAD]


def _hosts(side: Side, late: bool) -> list[Host]:
    # The tests make their accounts themselves, which without TLS takes an admin.
    accounts = Host(
        side.host,
        modules=["admin_adhoc", "lab_peers", *side.modules],
        options={"admins": [f"{ADMIN}@{side.host}"], "lab_second_ahead": side is AHEAD},
    )
    rooms = Host(
        side.rooms,
        rooms=True,
        modules=["lab_fields", "lab_faces", *(["lab_delay"] if late else [])],
        options={
            "muc_room_locking": True,
            "muc_room_default_public": True,
            "lab_faces": [other.host for other in SIDES if other is not WITHOUT],
        },
    )
    return [accounts, rooms]


def _write_admin(directory: Path, side: Side) -> None:
    accounts = directory / "data" / side.host.replace(".", "%2e") / "accounts"
    accounts.mkdir(parents=True)
    (accounts / f"{ADMIN}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')


class Place:
    """The server, and the name server that tells Smack where it is; its rooms answer late if they are to seem far away."""

    def __init__(self, directory: Path, late: bool):
        address = f"{network.own_network()}.1"
        port = network.free_port(address)
        self.name_server = (address, network.free_port(address, network.DATAGRAM))
        self.log = directory / "debug.log"
        settings = Settings(
            directory=directory,
            address=address,
            c2s_port=port,
            s2s_port=0,
            hosts=[host for side in SIDES for host in _hosts(side, late)],
            options={
                "authentication": "internal_plain",
                "modules_enabled": [name for name in MODULES if name not in NOT_HERE],
                "modules_disabled": ["s2s"],
            },
        )
        for side in SIDES:
            _write_admin(directory, side)
        self._names = Names({side.host: (address, port) for side in SIDES}, *self.name_server, CLIENTS)
        self._server = Server("Prosody", prosody.command(settings), directory)

    async def start(self) -> None:
        await self._names.start()
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()
        await self._names.stop()
