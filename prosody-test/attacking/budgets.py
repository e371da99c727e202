"""The worst that one account, one domain and one occupant can cause, as `tests/budgets/worst.rs` does it to the core alone."""

from attacking.attacks import enter, message, presence
from attacking.world import FAR, FAR_ROOMS, PUPPETS, SERVICES, World
from client import xml
from client.person import Person

ROOMS = 200  # of one account: about 120 of them use up what it has
SESSIONS = 4
ACCOUNTS = 20
ROOMS_OF_ACCOUNT = 15
PARTS = 9_900  # in one stanza: the binding reads no more


def _structure(parts: int) -> str:
    return f"<x xmlns='urn:lab:x'>{'t<a/>' * (parts // 2)}</x>"


def _elements(cost: int) -> str:
    return f"<x xmlns='urn:lab:x'>{'<a/>' * (cost // 100)}</x>"


async def _fill(world: World, room: str, to: str) -> None:
    """A room shows an account as much as it can that is dear, and different from what it shows others."""
    name = f"<status>{to}{room}</status>"
    query = f"<iq xmlns='jabber:client' type='get' from='{room}/n1' to='{to}' id='{'q' * 500}'><query xmlns='q'/></iq>"
    stanzas = [
        message(room, to, f"<subject>{to}{room}</subject>{_structure(500)}"),
        presence(f"{room}/me", to, f"{name}{_structure(600)}", codes=("110",)),
        presence(f"{room}/n0", to, f"{name}{_structure(600)}"),
        f"<presence xmlns='jabber:client' from='{room}' to='{to}'>{name}{_structure(150)}</presence>",
        message(f"{room}/n1", to, f"<body>{to}{room}</body>{_structure(2_000)}"),
        query,
        presence(f"{room}/n2", to, _elements(50_000)),
    ]
    await world.emit(room, "".join(stanzas))


async def one_account(world: World) -> None:
    sessions = [await world.person("mallory", resource=f"s{number}") for number in range(SESSIONS)]
    rooms = [f"r{number}@{SERVICES[number % len(SERVICES)]}" for number in range(ROOMS)]
    status = f"<status>{'s' * 1_000}</status>{_structure(100)}"
    for room in rooms:
        to = await enter(world, sessions[0], room, beside=status)
        for session in sessions[1:]:
            session.send_join(room, "me", beside=status)
            await session.synchronise()
    for room in rooms:
        await _fill(world, room, to)
    said = f"<body>b</body>{_structure(200)}"
    for room in rooms:
        sessions[0].send(f"<message type='groupchat' to='{room}'>{said}</message>" * 20)
        await sessions[0].synchronise()


async def one_domain(world: World) -> None:
    people = [await world.person(f"account{account}") for account in range(ACCOUNTS)]
    rooms = [f"r{number}@{PUPPETS}" for number in range(ROOMS_OF_ACCOUNT)]
    for room, person in ((room, person) for room in rooms for person in people):
        await _fill(world, room, await enter(world, person, room))


async def one_occupant(world: World) -> None:
    room = f"honest@{FAR_ROOMS}"
    victim = await world.person("victim")
    await victim.join(room, "victim")
    eve = await world.person("eve", FAR)
    await eve.join(room, "eve")
    for number in range(20):
        await _says_much(eve, room, number)
    for number in range(5_000):
        query = f"<iq type='get' id='{number:0>500}' to='{room}/victim'><query xmlns='q'/></iq>"
        eve.send(query)
        if number % 100 == 0:
            await eve.synchronise()
    await victim.synchronise()


async def _says_much(eve: Person, room: str, number: int) -> None:
    body = f"<body>{number}</body>"
    eve.send(f"<presence to='{room}/eve'>{_structure(600 - number)}</presence>")
    eve.send(f"<message type='groupchat' id='m{number}' to='{room}'>{body}{_structure(900)}</message>")
    private = f"<x xmlns='{xml.MUC_USER}'/>"
    eve.send(f"<message type='chat' id='p{number}' to='{room}/victim'>{body}{private}{_structure(PARTS)}</message>")
    await eve.synchronise()


BUDGETS = [
    (f"one account, in {ROOMS} rooms of its own", 64, one_account),
    (f"one domain, of which {ACCOUNTS} accounts have joined {ROOMS_OF_ACCOUNT} rooms", 64, one_domain),
    ("one occupant of an honest room", 2, one_occupant),
]
