"""What the server's log says about the rooms: whom they saw, and whether the second sessions were there."""

import re
from pathlib import Path

from harness.report import TROUBLE

FACE = re.compile(r":lab_faces\twarn\t(.*)")
DIRECT = re.compile(r":minimix\tdebug\t(.* shows the account nothing: .*)")
IS_IN = re.compile(r":lab_second\tinfo\tThe (first|second) session of (.*)")


class Watch:
    def __init__(self, log: Path):
        self._lines = log.read_text(errors="replace").splitlines()

    def _matches(self, pattern: re.Pattern) -> list[re.Match]:
        return [match for line in self._lines if (match := pattern.search(line))]

    @property
    def faces(self) -> list[str]:
        """Where a room saw a session's full JID instead of the account."""
        return [match[1] for match in self._matches(FACE)]

    @property
    def direct(self) -> list[str]:
        """Services whose rooms the sessions were left to join by themselves."""
        return [match[1] for match in self._matches(DIRECT)]

    @property
    def errors(self) -> list[str]:
        return [line for line in self._lines if TROUBLE.search(line)]

    @property
    def stays(self) -> tuple[set[str], set[str]]:
        """Which account was in which room: by the first session, by the second."""
        seen = self._matches(IS_IN)
        return {match[2] for match in seen if match[1] == "first"}, {match[2] for match in seen if match[1] == "second"}
