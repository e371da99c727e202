"""Configurations of ejabberd, and the command that runs one."""

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from lab.server import Command

LIBRARIES = sorted(Path("/usr/lib").glob("*-linux-gnu*/ejabberd-*"))

# What Debian's configuration enables, without what needs the network.
MODULES: dict[str, dict[str, object]] = {
    "mod_adhoc": {},
    "mod_blocking": {},
    "mod_caps": {},
    "mod_carboncopy": {},
    "mod_disco": {},
    "mod_last": {},
    "mod_offline": {},
    "mod_ping": {},
    "mod_privacy": {},
    "mod_private": {},
    "mod_roster": {},
    "mod_s2s_dialback": {},
    "mod_stream_mgmt": {},
    "mod_time": {},
    "mod_vcard": {},
    "mod_vcard_xupdate": {},
    "mod_version": {},
}
# Rooms are archived, occupants may invite as in Prosody's, and ask for voice more than once in half an hour.
ROOM_OPTIONS = {"mam": True, "allow_user_invites": True, "voice_request_min_interval": 1}


@dataclass(frozen=True)
class Settings:
    """One ejabberd: where it listens, whom it serves, whom it asks for other servers."""

    directory: Path
    address: str
    c2s_port: int
    s2s_port: int
    host: str
    rooms: str
    name_server: tuple[str, int]


def configuration(settings: Settings) -> str:
    """Returns the configuration as JSON, which is YAML."""
    listen = {"ip": settings.address}
    everybody = {"access": "all"}
    return json.dumps(
        {
            "hosts": [settings.host],
            "loglevel": "info",
            "auth_method": ["anonymous"],
            "anonymous_protocol": "login_anon",
            "allow_multiple_connections": True,
            "s2s_use_starttls": False,
            "s2s_access": "all",
            "disable_sasl_mechanisms": ["digest-md5", "X-OAUTH2"],
            "listen": [
                {**listen, "port": settings.c2s_port, "module": "ejabberd_c2s", **everybody},
                {**listen, "port": settings.s2s_port, "module": "ejabberd_s2s_in"},
            ],
            "modules": {
                **MODULES,
                "mod_mam": {"default": "never"},
                "mod_muc": {
                    "host": settings.rooms,
                    **everybody,
                    "access_create": "all",
                    "access_persistent": "all",
                    "access_mam": "all",
                    "default_room_options": ROOM_OPTIONS,
                },
            },
        },
        indent=1,
    )


def _resolver(name_server: tuple[str, int]) -> str:
    """Returns the configuration of Erlang's resolver, which shall ask nobody but the lab's name server."""
    address, port = name_server
    numbers = ",".join(str(byte) for byte in ipaddress.ip_address(address).packed)
    return f'{{resolv_conf, ""}}.\n{{hosts_file, ""}}.\n{{lookup, [dns]}}.\n{{nameserver, {{{numbers}}}, {port}}}.\n'


def command(settings: Settings) -> Command:
    """Writes the configuration and returns what runs it.

    The node has no name, so it neither starts nor asks the daemon that finds nodes by name.
    """
    directory = settings.directory
    directory.mkdir(parents=True, exist_ok=True)
    config, resolver = directory / "ejabberd.yml", directory / "inetrc"
    config.write_text(configuration(settings))
    resolver.write_text(_resolver(settings.name_server))
    return Command(
        argv=["erl", "-noinput", "-mnesia", "dir", f'"{directory / "data"}"', "-s", "ejabberd"],
        ready=f"Start accepting TCP connections at {settings.address}:{settings.c2s_port}",
        environment={
            "ERL_LIBS": str(LIBRARIES[-1].parent) if LIBRARIES else "",
            "ERL_INETRC": str(resolver),
            "ERL_CRASH_DUMP": str(directory / "crash.dump"),
            "EJABBERD_CONFIG_PATH": str(config),
            "EJABBERD_LOG_PATH": str(directory / "ejabberd.log"),
            "HOME": str(directory),
        },
    )
