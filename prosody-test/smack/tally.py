"""What passed how often, and what that says about the module."""

from collections import Counter
from dataclasses import dataclass, field

from smack.suite import Outcomes

_OCCUPANT = "MultiUserChatOccupantIntegrationTest"

# They want others to see the full JID of who joins, and with the module there is none to see.
CANNOT_PASS = {
    f"{_OCCUPANT}.mucJoinNonAnonymousRoomTest",
    f"{_OCCUPANT}.mucJoinSemiAnonymousRoomReceivedByModeratorTest",
}

# They race against Smack's own threads: a listener is called late, for the join or the leave before, or is gone by then;
# Smack's `join` may return before the listeners that the test counts on have seen the presence that ended it.
UNSTABLE = {
    f"{_OCCUPANT}.mucChangeNicknameInformationTest",
    f"{_OCCUPANT}.mucJoinPresenceInformationTest",
    f"{_OCCUPANT}.mucLeaveTest",
    f"{_OCCUPANT}.mucMaxUsersLimitJoinRoomTest",
}


ENOUGH = 5  # passes that make up for one failure


@dataclass
class Tally:
    """How often each test ran and passed on one side."""

    ran: Counter = field(default_factory=Counter)
    passed: Counter = field(default_factory=Counter)

    def add(self, outcomes: Outcomes) -> None:
        self.ran.update(outcomes.keys())
        self.passed.update(name for name, passed in outcomes.items() if passed)

    @property
    def always(self) -> set[str]:
        return {name for name in self.ran if self.passed[name] == self.ran[name]}

    @property
    def ever(self) -> set[str]:
        return set(self.passed)

    def failures(self, name: str) -> int:
        return self.ran[name] - self.passed[name]


def _never_again(without: Tally, tally: Tally) -> set[str]:
    """The unstable ones that have passed without the module only."""
    return (UNSTABLE & without.ever) - tally.ever


def _failing(without: Tally, tally: Tally) -> set[str]:
    return without.always - tally.always - UNSTABLE - CANNOT_PASS


def doubtful(without: Tally, tally: Tally) -> set[str]:
    """What chance may have made fail with the module, and has to run again."""
    once = {name for name in _failing(without, tally) if tally.failures(name) == 1 and tally.passed[name] < ENOUGH}
    return _never_again(without, tally) | once


def only_without(without: Tally, tally: Tally) -> set[str]:
    """What passes without the module only: with it, it fails more than once, or if it is unstable, always."""
    twice = {name for name in _failing(without, tally) if tally.failures(name) > 1 or not tally.passed[name]}
    return _never_again(without, tally) | twice
