"""The table that a run ends with."""

from dataclasses import dataclass, field

from fault.crowd import Crowd
from fault.random_kills import RandomKills
from fault.row import COLUMNS, Figures, Row

HEADS = ["lost", "twice", "out of order", "silent", "refused", "anew", "told out", "leaves", "joins", "seconds"]


@dataclass
class Result:
    """Of a row of the table, or of what is told in a line below it."""

    row: Row | Crowd | RandomKills
    ours: Figures | None = None
    plain: Figures | None = None
    words: str = ""
    missed: list[str] = field(default_factory=lambda: ["not done"])
    failure: str | None = None  # of the lab, or an error that a server logged

    def measured(self, ours: Figures, plain: Figures) -> None:
        self.ours, self.plain = ours, plain
        names = dict(zip(COLUMNS, HEADS, strict=True))
        self.missed = [names[name] for name in self.row.target.missed(ours, plain)]

    @property
    def verdict(self) -> str:
        if self.failure:
            return "FAILED"
        if not self.missed:
            return "ok" if self.row.expected else "ok, was not expected"
        return f"MISSED {', '.join(self.missed)}" + ("" if self.row.expected else " (not expected yet)")

    @property
    def is_bad(self) -> bool:
        return self.failure is not None or (self.row.expected and bool(self.missed))


def report(results: list[Result]) -> str:
    rows = [result for result in results if isinstance(result.row, Row)]
    others = [result for result in results if result not in rows]
    lines = [f"{result.row.name}: {result.words or 'not done'}: {result.verdict}" for result in others]
    return "\n".join([*([_table(rows)] if rows else []), *lines])


def _table(results: list[Result]) -> str:
    """Each cell says what the module had, and after a slash what a plain client had."""
    lines = [["fault", *HEADS, "verdict"]]
    lines += [[result.row.name, *_cells(result), result.verdict] for result in results]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(rows)


def _cells(result: Result) -> list[str]:
    ours, plain = result.ours or Figures(), result.plain
    return [f"{_word(ours, name)} / {_word(plain, name) if plain else '-'}" for name in COLUMNS]


def _word(figures: Figures, name: str) -> str:
    value = getattr(figures, name)
    if value is None:
        return "never" if name == "seconds" else "-"
    return f"{value:.1f}" if name == "seconds" else str(value)
