"""The register of stories, of four forms.

A *compared* story has one device. It runs with and without the module, and both must receive the same.
A *judged* story has several devices of one account, and somebody on another host who watches the room.
A *scripted* story has several devices too, and a room that does and says just what the story tells it.
A *gateway* story has several devices in an IRC channel, with somebody on another host.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

ROOM_KINDS = ("local", "slow", "remote")
Tell = Callable[..., Awaitable[None]]


class Form(Enum):
    COMPARED = "compared"
    JUDGED = "judged"
    SCRIPTED = "scripted"
    GATEWAY = "gateway"


@dataclass(frozen=True)
class Story:
    form: Form
    statements: tuple[str, ...]
    tell: Tell
    kinds: tuple[str, ...]
    ignored_codes: frozenset[str] = frozenset()
    alone: bool = False
    host: str = ""

    @property
    def name(self) -> str:
        return self.tell.__name__

    @property
    def title(self) -> str:
        return f"{self.name} [{' '.join(self.statements)}]"


STORIES: list[Story] = []


def compared(
    *statements: str, ignored_codes: set[str] = frozenset(), kinds: tuple[str, ...] = ROOM_KINDS, host: str = ""
) -> Callable:
    """Registers a single-device story; `ignored_codes` are left out of the comparison.

    `host` is where the account is, if it needs a host with modules of others; its stock twin has them too.
    """

    def decorate(tell: Tell) -> Tell:
        STORIES.append(Story(Form.COMPARED, statements, tell, kinds, frozenset(ignored_codes), host=host))
        return tell

    return decorate


def judged(*statements: str, kinds: tuple[str, ...] = ROOM_KINDS, alone: bool = False, host: str = "") -> Callable:
    """Registers a story of several devices; one that disturbs a whole server runs `alone`, after the others.

    `host` is where the account is, if it needs one with options of its own.
    """

    def decorate(tell: Tell) -> Tell:
        STORIES.append(Story(Form.JUDGED, statements, tell, kinds, alone=alone, host=host))
        return tell

    return decorate


def scripted(*statements: str, alone: bool = False, host: str = "") -> Callable:
    """Registers a story whose room is a puppet; one that disturbs a whole server runs `alone`, after the others.

    `host` is where the account is, if it needs a host with modules of others.
    """

    def decorate(tell: Tell) -> Tell:
        STORIES.append(Story(Form.SCRIPTED, statements, tell, ("puppet",), alone=alone, host=host))
        return tell

    return decorate


def gateway(*statements: str) -> Callable:
    """Registers a story of an IRC channel."""

    def decorate(tell: Tell) -> Tell:
        STORIES.append(Story(Form.GATEWAY, statements, tell, ("irc",)))
        return tell

    return decorate


def check(condition: object, what: str) -> None:
    """Fails the story with these words."""
    if not condition:
        raise AssertionError(what)
