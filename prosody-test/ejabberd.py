"""ejabberd in the place of server B: how it is run, and what its rooms do otherwise than Prosody's."""

import ipaddress
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from client import xml
from client.xml import CLIENT, Element
from lab.server import Command

# ---- the server ----

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
    longest_silence_s: int = 1  # to a server that it could not reach; by its own default 300


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
            "s2s_max_retry_delay": settings.longest_silence_s,
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


# ---- its rooms ----

WATCHER = "{urn:lab:watcher}"


def without_peculiarities(stanzas: list[Element], known_ids: set[str]) -> list[Element]:
    """Returns copies of the stanzas, without what ejabberd's rooms do and the module evens out for its clients.

    Other services do these things otherwise, so no client can rely on them. Both sides of a comparison lose them:
    - The room has a presence of its own, and takes it back right before an occupant's leave. The module answers a
      leave itself, as Prosody would (L1), so the lab's watcher does not see that either. The id of that presence is
      made anew for each occupant; a replay has none.
    - The presence under a new nick carries the id of the join; the module gives it that of the request (N3).
    - The removal from a destroyed room lacks the 110; the module adds it (K1).
    - Show and status stand behind everything else.
    - The subject in a join has neither id nor stamp; one that the module has seen change keeps those of the change.
    - An invitation and its text name the inviter by real JID: the account and not the session, if it was us.
    """
    kept = [stanza for stanza, after in _with_next(stanzas) if not _announces_leave(stanza, after, known_ids)]
    before = [None, *kept]
    return [_evened(stanza, previous) for stanza, previous in zip(kept, before, strict=False)]


def _with_next(stanzas: list[Element]) -> Iterator[tuple[Element, Element | None]]:
    return zip(stanzas, [*stanzas[1:], None], strict=False)


def _is_of_room(stanza: Element) -> bool:
    return stanza.tag == CLIENT + "presence" and "@" in stanza.get("from", "") and "/" not in stanza.get("from")


def _announces_leave(stanza: Element, after: Element | None, known_ids: set[str]) -> bool:
    is_end = stanza.get("type") == "unavailable" and _is_of_room(stanza)
    return is_end and after is not None and after.get("type") == "unavailable" and after.get("id") in known_ids


def _evened(stanza: Element, previous: Element | None) -> Element:
    copy = deepcopy(stanza)
    if stanza.tag == CLIENT + "message":
        _name_account_as_inviter(copy)
        _even_subject(copy)
    for seen in copy.findall(f"{WATCHER}seen"):
        seen[:] = [noted for noted in seen if not _is_end_of_room(noted)]
    if stanza.tag != CLIENT + "presence":
        return copy
    copy[:] = sorted(copy, key=lambda child: not child.tag.startswith(CLIENT))
    follows_nick_change = previous is not None and "303" in xml.codes(previous)
    if _is_of_room(stanza) or follows_nick_change:
        copy.attrib.pop("id", None)
    x = copy.find(f"{{{xml.MUC_USER}}}x")
    if x is not None and x.find(f"{{{xml.MUC_USER}}}destroy") is not None:
        copy[list(copy).index(x)] = _without_codes(x)
    return copy


def _name_account_as_inviter(message: Element) -> None:
    invite = message.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}invite")
    body = message.find(CLIENT + "body")
    if invite is None or body is None:
        return
    inviter = invite.get("from", "")
    account = inviter.partition("/")[0]
    invite.set("from", account)
    body.text = (body.text or "").replace(inviter, account)


def _is_end_of_room(noted: Element) -> bool:
    return noted.get("type") == "unavailable" and "/" not in noted.get("sender", "")


def _even_subject(message: Element) -> None:
    if xml.is_subject(message):
        message.attrib.pop("id", None)
        message[:] = message.findall(CLIENT + "subject")


def _without_codes(x: Element) -> Element:
    copy = Element(x.tag, dict(x.attrib))
    copy.extend(child for child in x if not child.tag.endswith("}status"))
    return copy
