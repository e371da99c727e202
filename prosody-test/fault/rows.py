"""The faults, and the rows of the table."""

import asyncio

from fault.pair import BRIEF_ROOMS, LOCAL_ROOMS, MODULE, Pair, Side
from fault.row import AS_PLAIN, Row, Target

SHORT_S = 5
LONG_S = 8
VERY_LONG_S = 45
STORED_S = 6  # a join is stored 5 s later at the latest
MANY = 200


async def reload(pair: Pair) -> None:
    await pair.order(f"module reload minimix {MODULE}")


async def reset(pair: Pair) -> None:
    pair.a.proxy.reset()
    pair.b.proxy.reset()


async def held(pair: Pair) -> None:
    await _held(pair, LONG_S)


async def held_long(pair: Pair) -> None:
    await _held(pair, VERY_LONG_S)


async def _held(pair: Pair, seconds: float) -> None:
    pair.a.proxy.hold()
    pair.b.proxy.hold()
    await asyncio.sleep(seconds)
    pair.a.proxy.release()
    pair.b.proxy.release()


async def a_paused(pair: Pair) -> None:
    await _paused(pair.a)


async def b_paused(pair: Pair) -> None:
    await _paused(pair.b)


async def _paused(side: Side) -> None:
    await side.pause()
    await asyncio.sleep(LONG_S)
    await side.go_on()


async def cut(pair: Pair) -> None:
    await _cut(pair.a, pair.b)


async def cut_to_us(pair: Pair) -> None:
    await _cut(pair.a)


async def cut_from_us(pair: Pair) -> None:
    await _cut(pair.b)


async def _cut(*sides: Side) -> None:
    """Nothing reaches these servers, and who tries is refused."""
    for side in sides:
        side.proxy.refuse()
    await asyncio.sleep(SHORT_S)
    for side in sides:
        await side.proxy.listen()


async def a_restarted(pair: Pair) -> None:
    await pair.a.stop()
    await pair.a.start()


async def b_restarted(pair: Pair) -> None:
    await pair.b.stop()
    await pair.b.start()


async def a_killed(pair: Pair) -> None:
    await _killed(pair.a)


async def a_killed_long(pair: Pair) -> None:
    await _killed(pair.a, LONG_S)


async def b_killed(pair: Pair) -> None:
    await _killed(pair.b)


async def b_killed_long(pair: Pair) -> None:
    await _killed(pair.b, LONG_S)


async def _killed(side: Side, down_s: float = 0) -> None:
    await side.kill()
    await asyncio.sleep(down_s)
    await side.start()


UNNOTICED = Target()
UNSEEN = Target(silent=AS_PLAIN)
OUTAGE = Target(refused=0, leaves=1, joins=1, seconds=5)
OWN_SERVER = Target(silent=AS_PLAIN, leaves=1, joins=1, seconds=5)
REMOTE_SERVER = Target(leaves=1, joins=1, seconds=5)
# A Prosody that is killed may have lost what it makes occupant-ids of: then it says another one to each device.
REMOTE_KILLED = Target(anew=2, leaves=1, joins=1, seconds=5)
GONE = Target(None, None, None, None, anew=None, told=2, told_exactly=True, leaves=None, joins=0, seconds=None)
NOBODY = Target(disordered=None, silent=None, anew=None, told=None, leaves=1, joins=1, seconds=15)
# ejabberd does not try a server again that it could not reach, for up to 5 minutes.
EJABBERD_BACK_S = 330
EJABBERD = Target(leaves=1, joins=1, seconds=EJABBERD_BACK_S)
EJABBERD_OWN_SERVER = Target(silent=AS_PLAIN, leaves=1, joins=1, seconds=EJABBERD_BACK_S)
# Each room may see one leave and one join.
IN_MANY = Target(silent=AS_PLAIN, leaves=MANY, joins=MANY, seconds=10)
IN_MANY_KILLED = Target(silent=AS_PLAIN, anew=2 * MANY, leaves=MANY, joins=MANY, seconds=10)

ROWS = [
    Row("module reloaded", reload, UNNOTICED, expected=True),
    Row("s2s reset", reset, UNNOTICED, expected=True),
    Row("s2s held 8 s", held, UNNOTICED, expected=True),
    Row("s2s held 45 s", held_long, UNNOTICED, expected=True),
    Row("A paused 8 s", a_paused, UNNOTICED, expected=True),
    Row("B paused 8 s", b_paused, UNNOTICED, expected=True),
    Row("cut 5 s", cut, OUTAGE, expected=True),
    Row("cut 5 s to A", cut_to_us, OUTAGE, expected=True),
    Row("cut 5 s to B", cut_from_us, OUTAGE, expected=True),
    Row("A restarted, local rooms", a_restarted, UNSEEN, service=LOCAL_ROOMS, expected=True),
    Row("A restarted, silent", a_restarted, UNNOTICED, is_silent=True, expected=True),
    Row("A restarted", a_restarted, OWN_SERVER, expected=True),
    Row("A killed", a_killed, OWN_SERVER, before_s=STORED_S, expected=True),
    Row("A killed, local rooms", a_killed, OWN_SERVER, service=LOCAL_ROOMS, before_s=STORED_S, judge_returns=True, expected=True),
    Row("A killed for 8 s", a_killed_long, OWN_SERVER, before_s=STORED_S, expected=True),
    Row("B restarted", b_restarted, REMOTE_SERVER, expected=True),
    Row("B killed", b_killed, REMOTE_KILLED, expected=True),
    Row("B killed for 8 s", b_killed_long, REMOTE_KILLED, expected=True),
    Row("B killed, room is gone", b_killed, GONE, service=BRIEF_ROOMS, is_brief=True, expected=True),
    Row("B killed for 8 s, room is gone", b_killed_long, GONE, service=BRIEF_ROOMS, is_brief=True, expected=True),
    Row("cut 5 s, nobody there", cut, NOBODY, is_deserted=True, expected=True),
    Row("A restarted, nobody there", a_restarted, NOBODY, is_deserted=True, expected=True),
    Row("A killed, nobody there", a_killed, NOBODY, before_s=STORED_S, is_deserted=True, expected=True),
    Row(
        "A killed, local rooms, nobody there",
        a_killed,
        NOBODY,
        service=LOCAL_ROOMS,
        before_s=STORED_S,
        judge_returns=True,
        is_deserted=True,
        expected=True,
    ),
    Row("A killed for 8 s, nobody there", a_killed_long, NOBODY, before_s=STORED_S, is_deserted=True, expected=True),
    Row("B restarted, nobody there", b_restarted, NOBODY, is_deserted=True, expected=True),
    Row("B killed, nobody there", b_killed, NOBODY, is_deserted=True, expected=True),
    Row("cut 5 s, 200 rooms", cut, IN_MANY, rooms=MANY, after_s=20, expected=True),
    Row("A killed, 200 rooms", a_killed, IN_MANY, rooms=MANY, before_s=STORED_S, after_s=20, expected=True),
    Row("B killed, 200 rooms", b_killed, IN_MANY_KILLED, rooms=MANY, after_s=20, expected=True),
]

EJABBERD_ROWS = [
    Row("cut 5 s", cut, EJABBERD, after_s=EJABBERD_BACK_S + 10, expected=True),
    Row("A killed", a_killed, EJABBERD_OWN_SERVER, before_s=STORED_S, after_s=EJABBERD_BACK_S + 10, expected=True),
]
