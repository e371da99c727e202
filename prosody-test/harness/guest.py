"""Stories that are told once for each of several hosts with modules of others."""

import functools
from collections.abc import Callable

from harness.scene import ComparedScene, JudgedScene
from harness.story import Tell, compared, judged
from lab.guests import FILTERED, FIREWALL, SPAM, STRANGERS, WATCHED

EVERYWHERE = (STRANGERS, SPAM, FIREWALL, WATCHED, FILTERED)
KINDS = ("local", "remote")


def compared_among(*statements: str, hosts: tuple[str, ...] = EVERYWHERE, kinds: tuple[str, ...] = KINDS) -> Callable:
    """Registers a compared story for each of the hosts, under its name and the host's."""
    return _for_each(hosts, lambda host: compared(*statements, kinds=kinds, host=host))


def judged_among(*statements: str, hosts: tuple[str, ...] = EVERYWHERE, kinds: tuple[str, ...] = KINDS) -> Callable:
    """Registers a judged story for each of the hosts."""
    return _for_each(hosts, lambda host: judged(*statements, kinds=kinds, host=host))


def _for_each(hosts: tuple[str, ...], register: Callable[[str], Callable]) -> Callable:
    def decorate(tell: Tell) -> Tell:
        for host in hosts:
            register(host)(_named(tell, host.partition(".")[0]))
        return tell

    return decorate


def _named(tell: Tell, suffix: str) -> Tell:
    @functools.wraps(tell)
    async def told(scene: ComparedScene | JudgedScene) -> None:
        await tell(scene)

    told.__name__ = f"{tell.__name__}_{suffix}"
    return told
