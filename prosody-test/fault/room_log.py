"""What one client was shown of one room, in the order in which it was shown it."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


WATCHED = "me"  # the nick of the account that is watched, in every room


@dataclass(frozen=True)
class Line:
    """One message: its text, which nobody says twice, and its id in the room's archive."""

    body: str
    id: str | None


@dataclass
class RoomLog:
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    shown: dict[str, None] = field(default_factory=dict)  # texts, in the order in which they are shown
    heard: dict[str, float] = field(default_factory=dict)  # when each text came, before it is sorted
    last_id: str | None = None
    last_stamp: str | None = None
    was_in: bool = False
    twice: int = 0
    anew: int = 0
    told: int = 0
    leaves: int = 0
    joins: int = 0
    occupants: dict[str, float] = field(default_factory=dict)  # since when each nick is there
    is_sorted: asyncio.Event = field(default_factory=asyncio.Event)  # and nothing is kept to be shown later
    _came_alone: set[str] = field(default_factory=set)  # texts that the client did not ask for
    _kept: list[Line] | None = None  # what comes while the client reads the archive
    _awaits_subject: bool = False
    _burst: set[str] | None = None  # nicks that a join in progress has shown

    def __post_init__(self) -> None:
        self.is_sorted.set()

    # ---- messages ----

    def came(self, line: Line, asked: bool) -> None:
        """Takes a message that came by itself, or as history that the client's join has `asked` for."""
        if not asked and line.body in self._came_alone:
            self.twice += 1
        self.heard.setdefault(line.body, time.monotonic())
        if not asked:
            self._came_alone.add(line.body)
        if self._kept is not None:
            self._kept.append(line)
        else:
            self._show(line)

    def read_archive(self) -> None:
        """What comes from here on is shown after what the archive has, as a client sorts it."""
        self.is_sorted.clear()
        self._kept = self._kept or []

    def archive_read(self, lines: list[Line]) -> None:
        kept, self._kept = self._kept or [], None
        for line in [*lines, *kept]:
            self._show(line)
        self.is_sorted.set()

    def _show(self, line: Line) -> None:
        # A client knows by its id what it has asked for and has already.
        if line.body not in self.shown:
            self.shown[line.body] = None
            self.heard.setdefault(line.body, time.monotonic())
            self.last_id = line.id or self.last_id
            self.last_stamp = _stamp()

    # ---- who is there ----

    def joining(self) -> None:
        self.joined.clear()
        self._burst = set()
        self._awaits_subject = True

    def entered(self) -> None:
        """A join is complete: who was not in it is not there."""
        if self._burst is not None:
            for nick in self.occupants.keys() - self._burst:
                self._gone(nick)
        self._burst = None
        self.last_stamp = self.last_stamp or _stamp()
        self.was_in = True
        self.joined.set()

    def subject_came(self) -> None:
        """Nobody changes the subject, so it is shown once in each join."""
        self.anew += not self._awaits_subject
        self._awaits_subject = False

    def occupant(self, nick: str, is_available: bool) -> None:
        """The room says that somebody is there, or no longer is."""
        if not is_available:
            self._gone(nick)
            return
        if self._burst is not None:
            self._burst.add(nick)
        if nick not in self.occupants:
            self.occupants[nick] = time.monotonic()
            self.joins += nick == WATCHED

    def _gone(self, nick: str) -> None:
        if self.occupants.pop(nick, None) is not None:
            self.leaves += nick == WATCHED

    @property
    def there_since(self) -> float | None:
        """When the account that is watched came, if it is there."""
        return self.occupants.get(WATCHED)

    def watch(self) -> None:
        """What was seen until here is no part of the figures."""
        self.leaves = self.joins = self.told = self.anew = 0


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
