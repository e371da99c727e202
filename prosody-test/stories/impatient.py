"""Clients that do not wait: they write a join and all that they have to say at once."""

from client import xml
from client.xml import Element
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged

LINES = 10_000
PATIENCE_S = 80


def line(room: str, number: int) -> str:
    return f"<message type='groupchat' id='m{number}' to='{room}'><body>line {number}</body></message>"


def join(room: str, id: str = "j") -> str:
    return f"<presence id='{id}' to='{room}/me'><x xmlns='{xml.MUC}'/></presence>"


def lines(stanzas: list[Element]) -> list[str | None]:
    """The texts of the messages among them, in order."""
    return [stanza.findtext(xml.CLIENT + "body") for stanza in stanzas if stanza.find(xml.CLIENT + "body") is not None]


def is_of(room: str, stanza: Element) -> bool:
    """Whether it comes from there, and is no presence of the room itself, which an ejabberd's room has."""
    sender, _, nick = stanza.get("from", "").partition("/")
    return sender == room and not (stanza.tag == xml.CLIENT + "presence" and not nick)


@compared("F33", "M3", "M13", "J2")
async def f33_a_hundred_lines_after_a_join(scene: ComparedScene) -> None:
    """A script writes a join and a hundred lines in one write: all arrive, in order, after the subject."""
    bob = await scene.owner()
    scene.me.send(join(scene.room) + "".join(line(scene.room, number) for number in range(100)))
    came = await scene.me.until(xml.message(body="line 99"))
    check(lines(came) == [f"line {number}" for number in range(100)], f"what I see: {lines(came)}")
    heard = lines(await bob.until(xml.message(body="line 99")))
    check(heard == [f"line {number}" for number in range(100)], f"what the room hears: {heard}")
    check(not await scene.me.drain(scene.room), "and nothing else")


@judged("F33", "M4", "M13", kinds=("remote",), alone=True)
async def f33_ten_thousand_lines(scene: JudgedScene) -> None:
    """Ten thousand lines in ten writes, the join in the first: none is refused, lost or overtaken."""
    if scene.is_ejabberd:
        await scene.judge.stop_archiving()  # its archive takes 60 messages a second
    script = await scene.device("me", "script")
    script.send(join(scene.room))
    for begin in range(0, LINES, 1000):
        script.send("".join(line(scene.room, number) for number in range(begin, begin + 1000)))
    last = xml.message(body=f"line {LINES - 1}")
    expected = [f"line {number}" for number in range(LINES)]
    check(lines(await script.until(last, PATIENCE_S)) == expected, "what I see is not in order")
    check(lines(await scene.judge.until(last, PATIENCE_S)) == expected, "what the room hears is not in order")


@judged("F33", "J1", "M3", "M13", "J9")
async def f33_fifty_rooms_at_once(scene: JudgedScene) -> None:
    """A client joins fifty rooms in one write and speaks in each: each answers as if it were alone."""
    rooms = [f"{number}-{scene.room}" for number in range(50)]
    phone = await scene.phone()
    phone.send("".join(join(room, f"j{number}") for number, room in enumerate(rooms)))
    phone.send("".join(line(room, number) for room in rooms for number in range(3)))
    for _ in rooms:
        await phone.expect(xml.message(body="line 2"))
    for number, room in enumerate(rooms):
        came = [stanza for stanza in phone.received if is_of(room, stanza)]
        check(came[0].get("id") == f"j{number}" and "110" in xml.codes(came[0]), f"first: {xml.text(came[0])}")
        check(xml.is_subject(came[1]), f"then the subject: {xml.text(came[1])}")
        check(lines(came) == [f"line {number}" for number in range(3)], f"then the lines: {lines(came)}")
        check(not any(stanza.get("type") == "error" for stanza in came), "and no error")
