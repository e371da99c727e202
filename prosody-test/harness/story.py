"""The register of stories.

A *compared* story has one device. It runs with and without the module, and both must receive the same.
A *judged* story has several devices of one account, and somebody on another host who watches the room.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ROOM_KINDS = ("local", "slow", "remote")


@dataclass(frozen=True)
class Story:
    name: str
    statements: tuple[str, ...]
    tell: Callable[..., Awaitable[None]]
    compared: bool
    ignored_codes: frozenset[str]
    kinds: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.name} [{' '.join(self.statements)}]"


STORIES: list[Story] = []


def compared(*statements: str, ignored_codes: set[str] = frozenset(), kinds: tuple[str, ...] = ROOM_KINDS) -> Callable:
    """Registers a single-device story; `ignored_codes` are left out of the comparison."""
    return _register(statements, True, frozenset(ignored_codes), kinds)


def judged(*statements: str, kinds: tuple[str, ...] = ROOM_KINDS) -> Callable:
    """Registers a story of several devices."""
    return _register(statements, False, frozenset(), kinds)


def _register(statements: tuple[str, ...], is_compared: bool, ignored: frozenset[str], kinds: tuple[str, ...]) -> Callable:
    def decorate(tell: Callable[..., Awaitable[None]]) -> Callable:
        STORIES.append(Story(tell.__name__, statements, tell, is_compared, ignored, kinds))
        return tell

    return decorate


def check(condition: object, what: str) -> None:
    """Fails the story with these words."""
    if not condition:
        raise AssertionError(what)
