"""What was measured, and what it may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A line of the table. Nothing limits a figure without a limit."""

    name: str
    value: float
    unit: str
    most: float | None = None

    @property
    def is_bad(self) -> bool:
        return self.most is not None and self.value > self.most

    def __str__(self) -> str:
        limit = "" if self.most is None else f"{self.most:g} {self.unit}"
        return f"{self.name:<58}{self.value:>10.4g} {self.unit:<6}{limit:>12}{'  MISSED' if self.is_bad else ''}"
