"""Accounts join and leave rooms, and their server is killed at a random moment."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from client.person import Person
from fault.crowd import all_thrown_out
from fault.pair import FAR, MODULE, REMOTE_ROOMS, Pair
from fault.rows import STORED_S
from fault.talker import Talker

KILLS, ACCOUNTS, ROOMS = 3, 10, 4
MEAN_PAUSE_S = 2.5  # between two joins or leaves of one account
BEFORE_S = (8, 12)
BACK_S = 15
LATE_S = 3  # somebody who comes back late


@dataclass
class Moves:
    """What one account did, and when it was done."""

    nick: str
    joined: dict[str, float] = field(default_factory=dict)  # rooms that it is in, and since when
    left: set[str] = field(default_factory=set)
    busy: str | None = None  # the room of a join or leave that is not done

    def settled(self, at: float) -> set[str]:
        return {room for room, since in self.joined.items() if since < at - STORED_S and room != self.busy}


class RandomKills:
    """One line of the report."""

    name = "A killed at random moments"
    expected = True
    is_alone = False

    async def play(self, pair: Pair) -> tuple[str, list[str]]:
        seed = random.randrange(10_000)
        chance = random.Random(seed)
        held = settled = back = left = 0
        for kill in range(KILLS):
            counts = await _one_kill(pair, kill, chance)
            held, settled, back, left = (a + b for a, b in zip((held, settled, back, left), counts, strict=True))
        words = f"{KILLS} kills: {held} of {settled} settled places held"
        words += f"; somebody is back in {back} of {left} rooms that were left (seed {seed})"
        missed = {"held": held < settled, "back": back > 0, "too few": not settled or not left}
        return words, [name for name, is_worse in missed.items() if is_worse]


async def _one_kill(pair: Pair, kill: int, chance: random.Random) -> tuple[int, int, int, int]:
    rooms = [f"kill-{kill}-{number}@{REMOTE_ROOMS}" for number in range(ROOMS)]
    judge = Talker(pair.b, f"judge-{kill}@{FAR}", "judge", "judge", rooms)
    accounts = [Moves(f"nick-{number}") for number in range(ACCOUNTS)]
    await judge.arrive()
    tasks = [asyncio.create_task(_move(pair, kill, moves, rooms, random.Random(chance.random()))) for moves in accounts]
    try:
        await asyncio.sleep(chance.uniform(*BEFORE_S))
        await pair.a.kill()
        at = time.monotonic()
        in_place = {(room, moves.nick) for moves in accounts for room in moves.settled(at)}
        # A leave that nobody was shown perhaps waited, and is not done.
        gone = {(room, moves.nick) for moves in accounts for room in rooms if _is_left(judge, room, moves)}
        for failure in await _stop(tasks):
            raise failure
        await all_thrown_out(judge)
        await pair.a.start()
        return await _compare(judge, in_place, gone)
    finally:
        await _stop(tasks)
        await judge.end()


def _is_left(judge: Talker, room: str, moves: Moves) -> bool:
    return room in moves.left - {moves.busy} and moves.nick not in judge.logs[room].occupants


async def _compare(judge: Talker, in_place: set, gone: set) -> tuple[int, int, int, int]:
    """Waits for those who were in place, and a little for those who had left."""

    def there() -> set:
        return {(room, nick) for room, log in judge.logs.items() for nick in log.occupants}

    begun = time.monotonic()
    while not in_place <= there() and time.monotonic() - begun < BACK_S:
        await asyncio.sleep(0.2)
    await asyncio.sleep(LATE_S)
    return len(in_place & there()), len(in_place), len(gone & there()), len(gone)


async def _move(pair: Pair, kill: int, moves: Moves, rooms: list[str], chance: random.Random) -> None:
    """Joins all the rooms, and then leaves one or comes back to it, until the connection ends."""
    person = Person(pair.a.endpoint, f"{moves.nick}-{kill}@{MODULE}", "phone")
    try:
        await person.go_online()
        for room in rooms:
            await _join(person, room, moves)
        while True:
            await asyncio.sleep(chance.expovariate(1 / MEAN_PAUSE_S))
            room = chance.choice(rooms)
            await (_leave if room in moves.joined else _join)(person, room, moves)
    except (AssertionError, OSError):
        if pair.a.up.is_set():
            raise
    finally:
        await person.stop()


async def _join(person: Person, room: str, moves: Moves) -> None:
    moves.busy = room
    await person.join(room, moves.nick)
    moves.left.discard(room)
    moves.joined[room], moves.busy = time.monotonic(), None


async def _leave(person: Person, room: str, moves: Moves) -> None:
    moves.busy = room
    person.room = room
    await person.leave()
    moves.left.add(room)
    del moves.joined[room]
    moves.busy = None


async def _stop(tasks: list[asyncio.Task]) -> list[Exception]:
    """Ends the tasks, and returns what went wrong in them."""
    for task in tasks:
        task.cancel()
    return [end for end in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(end, Exception)]
