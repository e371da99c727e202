"""A row of the table: a fault, what happens beside it, and what the module has to make of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

from fault.pair import REMOTE_ROOMS, Pair

AS_PLAIN = "as plain"
UNDER_WAY = 1  # messages that die with a server that no client could save; their number is luck


@dataclass
class Figures:
    """What the devices of one account met with; None where it was not looked at, or did not happen."""

    lost: int | None = None  # messages of the archive that a device was never shown
    twice: int | None = None  # shown to a device, or taken by the room, a second time
    disordered: int | None = None
    silent: int | None = None  # said, and neither archived nor refused
    refused: int | None = None
    anew: int | None = None  # shown again without a join: the own presence, and the same subject
    told: int | None = None  # that the device is out of the room
    leaves: int | None = None  # of the account, as the judge sees it
    joins: int | None = None
    seconds: float | None = None  # from the end of the fault until every device hears and is heard


@dataclass(frozen=True)
class Target:
    """The highest figures with which the module passes; None where any will do, AS_PLAIN those of the plain client."""

    lost: int | None = 0
    twice: int | None = 0
    disordered: int | None = 0
    silent: int | str | None = 0
    refused: int | None = None
    anew: int | None = 0
    told: int | None = 0
    leaves: int | None = 0
    joins: int | None = 0
    seconds: float | None = 1
    told_exactly: bool = False

    def missed(self, ours: Figures, plain: Figures | None) -> list[str]:
        """Returns the names of the figures that are worse."""
        return [name for name in COLUMNS if self._is_worse(name, ours, plain)]

    def _is_worse(self, name: str, ours: Figures, plain: Figures | None) -> bool:
        limit = getattr(self, name)
        value = getattr(ours, name)
        if limit is None:
            return False
        if limit == AS_PLAIN:
            limit = max(UNDER_WAY, getattr(plain, name))
        if value is None or value > limit:
            return True
        return name == "told" and self.told_exactly and value != limit


COLUMNS = tuple(field.name for field in fields(Figures))


@dataclass(frozen=True)
class Row:
    """`expected` says that the module is to pass; a row that is not may miss its target, and the run passes."""

    name: str
    fault: Callable[[Pair], Awaitable[None]]
    target: Target
    expected: bool = False
    service: str = REMOTE_ROOMS
    rooms: int = 1
    before_s: float = 2
    after_s: float = 15
    is_silent: bool = False  # nobody speaks while the fault lasts
    is_deserted: bool = False  # none of the account's devices is connected
    judge_returns: bool = False  # since the room has forgotten him
    is_brief: bool = False  # the room is gone with its server

    @property
    def is_alone(self) -> bool:
        """Whether nothing else may run beside it: with many rooms, what is measured is how quick the servers are."""
        return self.rooms > 1
