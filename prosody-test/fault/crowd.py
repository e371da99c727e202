"""Many accounts in many rooms, whose server is killed; others use it while they are brought back."""

import asyncio
import time

from client.person import Person
from fault.pair import FAR, MODULE, PLAIN, REMOTE_ROOMS, Pair
from fault.rows import STORED_S
from fault.talker import Talker

ACCOUNTS, ROOMS_OF_EACH, ROOMS = 60, 5, 30
AT_ONCE = 6
THROWN_OUT_S, AGAIN_S = 10, 0.5
BACK_S, PING_MS, JOIN_S = 25, 100, 3
PING_PERIOD_S = 0.1


class Crowd:
    """One line of the report."""

    name = "A killed, 60 accounts × 5 rooms"
    expected = True
    is_alone = True

    async def play(self, pair: Pair) -> tuple[str, list[str]]:
        """Returns what was seen, and what of it is worse than it should be."""
        rooms = [f"crowd-{number}@{REMOTE_ROOMS}" for number in range(ROOMS)]
        judge = Talker(pair.b, f"judge@{FAR}", "judge", "judge", rooms)
        await judge.arrive()
        try:
            await _enter_and_go(pair, rooms)
            await asyncio.sleep(STORED_S)
            await pair.a.kill()
            await all_thrown_out(judge)
            await pair.a.start()
            return await _watch(pair, judge)
        finally:
            await judge.end()


async def _enter_and_go(pair: Pair, rooms: list[str]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def enter(number: int) -> None:
        own = [rooms[(number * ROOMS_OF_EACH + more) % ROOMS] for more in range(ROOMS_OF_EACH)]
        talker = Talker(pair.a, f"account-{number}@{MODULE}", "phone", f"nick-{number}", own)
        async with slots:
            await talker.arrive()
            await talker.go()

    await asyncio.gather(*map(enter, range(ACCOUNTS)))


async def all_thrown_out(judge: Talker) -> None:
    """Speaks in the rooms, whose server then cannot reach the others, until nobody else is in any.

    What is said right after the death of a stream may be lost with it, so it is said again.
    """
    async with asyncio.timeout(THROWN_OUT_S):
        while crowded := [room for room, log in judge.logs.items() if log.occupants.keys() != {judge.nick}]:
            for room in crowded:
                judge.say(room)
            await asyncio.sleep(AGAIN_S)


async def _watch(pair: Pair, judge: Talker) -> tuple[str, list[str]]:
    pings: list[float] = []
    pinging = asyncio.create_task(_ping(pair, pings))
    try:
        (back, seconds), join_s = await asyncio.gather(_until_back(judge), _own_join(pair))
    finally:
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)
    longest_ms = max(pings, default=0) * 1000
    wanted = ACCOUNTS * ROOMS_OF_EACH
    words = f"{back} of {wanted} back after {seconds:.0f} s; longest ping of a bystander {longest_ms:.0f} ms"
    words += f"; a session's own join {join_s:.1f} s"
    missed = {"back": back < wanted, "ping": longest_ms > PING_MS, "own join": join_s > JOIN_S}
    return words, [name for name, is_worse in missed.items() if is_worse]


async def _until_back(judge: Talker) -> tuple[int, float]:
    begun = time.monotonic()
    back = 0
    while back < ACCOUNTS * ROOMS_OF_EACH and time.monotonic() - begun < BACK_S:
        await asyncio.sleep(PING_PERIOD_S)
        back = sum(len(log.occupants) - 1 for log in judge.logs.values())
    return back, time.monotonic() - begun


async def _ping(pair: Pair, pings: list[float]) -> None:
    """Somebody who is in no room asks his server again and again whether it is there."""
    bystander = Person(pair.a.endpoint, f"bystander@{PLAIN}", "phone")
    try:
        await bystander.go_online()
        while True:
            begun = time.monotonic()
            await bystander.ping(PLAIN)
            pings.append(time.monotonic() - begun)
            await asyncio.sleep(PING_PERIOD_S)
    finally:
        await bystander.stop()


async def _own_join(pair: Pair) -> float:
    """One of the accounts comes online and joins a room that it was not in."""
    person = Person(pair.a.endpoint, f"account-0@{MODULE}", "phone")
    try:
        await person.go_online()
        begun = time.monotonic()
        await person.join(f"fresh@{REMOTE_ROOMS}", "me")
        return time.monotonic() - begun
    finally:
        await person.stop()
