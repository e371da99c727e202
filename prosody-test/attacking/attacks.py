"""What somebody who means harm does, at the rates that mod_limits allows by default."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from attacking.world import FAR_ROOMS, HOME, PUPPETS, SERVER_RATE, SESSION_RATE, World, paced
from client import xml
from client.person import Person
from client.xml import quoteattr

ROOM = f"hostile@{PUPPETS}"
OCCUPANTS = 1000
BLOCKED = 1000
STANZA = 9_000  # bytes; within what a burst lets through
LARGEST_PRESENCE = 1_500  # that a session may join with, if it is all structure
MUC_ITEM = "<item affiliation='none' role='participant'/>"

Act = Callable[[float], Awaitable[int]]


@dataclass(frozen=True)
class Attack:
    """Of those that are found in the server's own rules: `prepare` gives what goes on for so many seconds then."""

    name: str
    prepare: Callable[[World], Awaitable[Act]]


def presence(sender: str, to: str, more: str = "", codes: tuple[str, ...] = (), id: str = "") -> str:
    """Of an occupant, as the hostile server sends it."""
    status = "".join(f"<status code='{code}'/>" for code in codes)
    x = f"<x xmlns='{xml.MUC_USER}'>{MUC_ITEM}{status}</x>"
    attribute = f" id={quoteattr(id)}" if id else ""
    return f"<presence xmlns='jabber:client' from={quoteattr(sender)} to='{to}'{attribute}>{more}{x}</presence>"


def message(sender: str, to: str, payload: str) -> str:
    """To everybody in the room."""
    return f"<message xmlns='jabber:client' from={quoteattr(sender)} to='{to}' type='groupchat'>{payload}</message>"


def _join_of(room: str) -> xml.Match:
    def is_join(stanza: xml.Element) -> bool:
        return stanza.get("from") == room and stanza.find(f".//{{{xml.MUC}}}x") is not None

    return xml.Match(is_join, f"a join of {room}")


async def enter(world: World, person: Person, room: str = ROOM, occupants: int = 1, beside: str = "") -> str:
    """Lets somebody into a room of the hostile server; gives the address under which the room knows him."""
    await world.emit(room, "")
    person.send_join(room, "me", beside=beside)
    got = (await world.handler.expect(_join_of(room)))[0][0]
    to = got.get("from")
    others = [presence(f"{room}/occupant{number}", to) for number in range(occupants)]
    for first in range(0, occupants, 100):
        await world.emit(room, "".join(others[first : first + 100]))
    own = presence(f"{room}/me", to, codes=("110",), id=got.get("id"))
    await world.emit(room, own + message(room, to, "<subject/>"))
    await person.joined()
    return to


def _from_room(world: World, piece: Callable[[int], str]) -> Act:
    async def send(stanzas: str) -> None:
        await world.emit(ROOM, stanzas)

    return lambda seconds: paced(SERVER_RATE, seconds, piece, send)


def _from_session(person: Person, piece: Callable[[int], str]) -> Act:
    async def send(stanzas: str) -> None:
        person.send(stanzas)

    return lambda seconds: paced(SESSION_RATE, seconds, piece, send)


def _structure(number: int, size: int = STANZA) -> str:
    """As many nodes as bytes allow, and nothing that was said before."""
    return f"<x xmlns='urn:lab:{number}'>{'t<a/>' * (size // 5)}</x>"


async def messages_of_structure(world: World) -> Act:
    victim = await world.person("victim")
    to = await enter(world, victim)
    await victim.close()
    return _from_room(world, lambda n: message(f"{ROOM}/occupant0", to, f"<body>{n}</body>{_structure(n)}"))


async def presences_of_structure(world: World) -> Act:
    victim = await world.person("victim")
    to = await enter(world, victim)
    await victim.close()
    return _from_room(world, lambda n: presence(f"{ROOM}/new{n}", to, _structure(n)))


async def presences_of_the_room(world: World) -> Act:
    victim = await world.person("victim")
    to = await enter(world, victim)
    await world.emit(ROOM, "".join(message(f"{ROOM}/occupant0", to, f"<body>{n}</body>") for n in range(200)))
    await victim.close()
    return _from_room(world, lambda _: f"<presence xmlns='jabber:client' from='{ROOM}' to='{to}'/>")


async def joins_again(world: World) -> Act:
    mallory = await world.person("mallory")
    await enter(world, mallory, occupants=OCCUPANTS)
    return _from_session(mallory, lambda n: f"<presence to='{ROOM}/me' id='{n}'><x xmlns='{xml.MUC}'/></presence>")


async def shows(world: World) -> Act:
    room = f"honest@{FAR_ROOMS}"
    mallory = await world.person("mallory")
    await mallory.join(room, "me")
    other = await world.person("mallory", resource="two")
    await other.join(room, "me", beside=_structure(0, LARGEST_PRESENCE))
    show = ("away", "xa")
    return _from_session(mallory, lambda n: f"<presence to='{room}/me'><show>{show[n % 2]}</show></presence>")


async def nicks(world: World) -> Act:
    room = f"honest@{FAR_ROOMS}"
    mallory = await world.person("mallory")
    await mallory.join(room, "me")
    return _from_session(mallory, lambda n: f"<presence to='{room}/nick{n % 7}'/>")


async def queries(world: World) -> Act:
    mallory = await world.person("mallory")
    await enter(world, mallory)
    id, query = "i" * 400, _structure(0, 1_000)
    return _from_session(mallory, lambda n: f"<iq type='get' to='{ROOM}/occupant0' id='{id}{n}'>{query}</iq>")


async def rooms(world: World) -> Act:
    mallory = await world.person("mallory")
    join = f"<x xmlns='{xml.MUC}'/>"
    return _from_session(mallory, lambda n: f"<presence to='room{n}@{PUPPETS}/me'>{join}</presence>")


async def blocks(world: World) -> Act:
    mallory = await world.person("mallory")
    await enter(world, mallory, occupants=OCCUPANTS)
    items = "".join(f"<item jid='{ROOM}/other{number}'/>" for number in range(BLOCKED))
    await mallory.query("set", f"mallory@{HOME}", f"<block xmlns='urn:xmpp:blocking'>{items}</block>")

    def turn(number: int) -> str:
        what = ("block", "unblock")[number % 2]
        item = f"<item jid='{ROOM}/occupant{number // 2 % OCCUPANTS}'/>"
        return f"<iq type='set' id='b{number}'><{what} xmlns='urn:xmpp:blocking'>{item}</{what}></iq>"

    return _from_session(mallory, turn)


ATTACKS = [
    Attack("a room's messages are all structure; its account is offline", messages_of_structure),
    Attack("a room's presences are all structure; its account is offline", presences_of_structure),
    Attack("a room sends presences of its own, with 200 messages kept", presences_of_the_room),
    Attack(f"a session joins a room of {OCCUPANTS} again and again", joins_again),
    Attack("a session toggles its show, and another's presence is as large as may be", shows),
    Attack("a session changes its nick", nicks),
    Attack("a session asks an occupant who never answers", queries),
    Attack("a session joins one room after the other, and none answers", rooms),
    Attack(f"a session blocks and unblocks in a room of {OCCUPANTS}, {BLOCKED} blocked", blocks),
]
