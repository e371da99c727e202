"""Configurations of Prosody, and the command that runs one."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from lab.server import Command

CHECKOUT = Path(__file__).resolve().parents[2]
WRAPPER = CHECKOUT / "lua"
CORE = CHECKOUT / "target" / "module"
TEST_MODULES = CHECKOUT / "prosody-test" / "modules"
COMMUNITY = CHECKOUT / "target" / "prosody-modules"  # Debian's package of that name, unpacked



@dataclass(frozen=True)
class Module:
    """Where the module is found: that of this checkout, or that of another one."""

    wrapper: Path = WRAPPER
    core: Path = CORE

    @classmethod
    def of(cls, checkout: Path) -> "Module":
        return cls(checkout / "lua", checkout / "target" / "module")


# What Debian's default configuration enables, without what needs the network, and with what a modern server adds.
MODULES = [
    "roster", "saslauth", "disco", "dialback", "ping", "time", "version", "uptime",
    "pep", "vcard4", "vcard_legacy", "private", "bookmarks", "blocklist",
    "carbons", "mam", "smacks", "csi_simple", "limits", "s2s_bidi", "admin_shell", "lab_peers",
]  # fmt: skip
ROOM_MODULES = ["muc_mam", "lab_peers"]
# Of mod_limits, wide enough for a dozen stories at once on one stream.
LIMITS = {"c2s": {"rate": "200kb/s"}, "s2sin": {"rate": "1mb/s"}}


def check_built() -> None:
    """Ends the program if there is no module: without it nothing would be shown."""
    for needed in (WRAPPER / "mod_minimix" / "mod_minimix.lua", CORE / "minimix_core.so"):
        if not needed.exists():
            sys.exit(f"{needed.relative_to(CHECKOUT)} is missing: run 'make'")


def check_unpacked() -> None:
    """Ends the program if the modules of others are missing, among which ours is tested."""
    if not COMMUNITY.exists():
        sys.exit(f"{COMMUNITY.relative_to(CHECKOUT)} is missing: run 'make deps'")


@dataclass(frozen=True)
class Host:
    """A VirtualHost, a room service, a component of another kind, or an external one that knows a secret."""

    name: str
    rooms: bool = False
    component: str = ""
    secret: str = ""
    modules: list[str] = field(default_factory=list)
    options: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """One Prosody: where it listens, whom it serves, how it reaches the others."""

    directory: Path
    address: str
    c2s_port: int
    s2s_port: int
    hosts: list[Host]
    peers: dict[str, tuple[str, int]] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    module: Module = field(default_factory=Module)

    @property
    def file(self) -> Path:
        return self.directory / "prosody.cfg.lua"


def lua(value: object) -> str:
    """Writes a value as Lua."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() | tuple():
            return "{ " + ", ".join(lua(item) for item in value) + " }"
        case dict():
            return "{ " + ", ".join(f"[{lua(key)}] = {lua(item)}" for key, item in value.items()) + " }"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'


def _global_options(settings: Settings) -> dict[str, object]:
    directory = settings.directory
    return {
        "run_as_root": True,
        "data_path": directory / "data",
        "pidfile": directory / "prosody.pid",
        "admin_socket": directory / "prosody.sock",
        "log": {"debug": directory / "debug.log", "info": "*console"},
        "plugin_paths": [settings.module.wrapper, TEST_MODULES, COMMUNITY],
        "interfaces": [settings.address],
        "c2s_ports": [settings.c2s_port],
        "s2s_ports": [settings.s2s_port],
        "c2s_direct_tls_ports": [],
        "s2s_direct_tls_ports": [],
        "modules_enabled": MODULES,
        "modules_disabled": ["s2s_auth_certs"],
        "authentication": "insecure",
        "insecure_open_authentication": "Yes please, I know what I'm doing!",
        "allow_unencrypted_plain_auth": True,
        "c2s_require_encryption": False,
        "s2s_require_encryption": False,
        "s2s_secure_auth": False,
        "limits": LIMITS,
        "lab_peers": {name: list(where) for name, where in settings.peers.items()},
        "lab_announce": True,
        "storage_async_check": True,
        **settings.options,
    }


def short_log(directory: Path) -> list[dict[str, object]]:
    """What is logged where a debug log would cost what is measured."""
    to_file = {"levels": {"min": "info"}, "to": "file", "filename": directory / "debug.log"}
    return [to_file, {"levels": {"min": "info"}, "to": "console"}]


def web_options(address: str, port: int) -> dict[str, object]:
    """What lets clients connect by WebSocket."""
    return {
        "modules_enabled": [*MODULES, "websocket"],
        "http_interfaces": [address],
        "http_ports": [port],
        "https_ports": [],
        "consider_websocket_secure": True,
    }


def _host_lines(host: Host) -> list[str]:
    if host.secret:
        options = {"component_secret": host.secret, "modules_enabled": ["lab_peers"]}
        return [f"\nComponent {lua(host.name)}", *_option_lines(options)]
    if host.component:
        options = {"modules_enabled": ["lab_peers", *host.modules], **host.options}
        return [f"\nComponent {lua(host.name)} {lua(host.component)}", *_option_lines(options)]
    if not host.rooms:
        options = {"modules_enabled": host.modules, **host.options}
        return [f"\nVirtualHost {lua(host.name)}", *_option_lines(options)]
    options = {
        "modules_enabled": ROOM_MODULES + host.modules,
        "muc_room_locking": False,
        "restrict_room_creation": False,
        "muc_log_by_default": True,
        **host.options,
    }
    return [f'\nComponent {lua(host.name)} "muc"', *_option_lines(options)]


def _option_lines(options: dict[str, object]) -> list[str]:
    return [f"{name} = {lua(value)}" for name, value in options.items()]


def configuration(settings: Settings) -> str:
    lines = ["-- Written by prosody-test.", *_option_lines(_global_options(settings))]
    for host in settings.hosts:
        lines += _host_lines(host)
    return "\n".join(lines) + "\n"


def write(settings: Settings) -> None:
    settings.file.write_text(configuration(settings))


def shell(directory: Path, words: str) -> list[str]:
    """Returns what gives a running Prosody an order of its admin shell."""
    return ["prosodyctl", "--config", str(directory / "prosody.cfg.lua"), "shell", *words.split()]


def command(settings: Settings) -> Command:
    """Writes the configuration and returns what runs it."""
    for name in ("data", "certs"):
        (settings.directory / name).mkdir(parents=True, exist_ok=True)
    write(settings)
    return Command(
        argv=["prosody", "-F", "--config", str(settings.file)],
        ready="The lab's server is up",
        environment={"LUA_CPATH": f"{settings.module.core}/?.so;;"},
    )
