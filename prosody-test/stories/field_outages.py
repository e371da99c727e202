"""What people have reported of servers of rooms that go and come back: F12 and F22 of docs/xep-map.md."""

from client import xml
from client.person import Person
from client.xml import Element
from harness.scene import JudgedScene
from harness.story import check, judged

IN = '"nick":"me"'  # in a record
LASTING, BRIEF = 15, 5  # rooms, with those that are gone with their server
LINES = ["one", "two", "three"]


def shown(received: list[Element], nick: str, type: str | None) -> list[Element]:
    """What a device was shown of an occupant."""
    return [
        stanza
        for stanza in received
        if xml.kind(stanza) == "presence"
        and (stanza.get("from") or "").endswith(f"/{nick}")
        and stanza.get("type") == type
    ]


@judged("F12", "K3", "K4", kinds=("remote",), alone=True)
async def f12_recovery_is_no_second_join(scene: JudgedScene) -> None:
    """The server of the room is killed: a device is shown what is other than before, and nothing else."""
    await scene.judge.configure(persistentroom="1")
    await scene.judge.set_subject("before")
    await scene.guest("carol")
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    before = len(phone.received)

    async def is_doubted() -> None:
        await scene.until_logged(f"{scene.service} may be out of reach")

    await scene.restart_remote(is_doubted, killed=True)
    scene.judge = await scene.guest("judge")
    await scene.guest("dan")
    await scene.judge.set_subject("after")
    for line in LINES:
        await scene.judge.say(line)
    await phone.expect(xml.message(body=LINES[-1]))
    await phone.say("here")
    await scene.judge.expect(xml.message(body="here"))
    await scene.arrived()
    await phone.drain(scene.room)
    came = phone.received[before:]
    check(not shown(came, "me", None) + shown(came, "me", "unavailable"), "nothing of its own presence")
    check(len(shown(came, "carol", "unavailable")) == 1 and not shown(came, "carol", None), "carol goes, once")
    check(len(shown(came, "dan", None)) == 1 and not shown(came, "dan", "unavailable"), "dan comes, once")
    subjects = [stanza.findtext(xml.CLIENT + "subject") for stanza in came if xml.is_subject(stanza)]
    check(subjects == ["after"], f"the new subject, once: {subjects}")
    said = [body for stanza in came if (body := stanza.findtext(xml.CLIENT + "body"))]
    check([body for body in said if body in LINES] == LINES, f"each line once, in order: {said}")


def of_account(watcher: Person, room: str) -> list[Element]:
    """What it was shown of the account in a room."""
    return [stanza for stanza in watcher.received if stanza.get("from") == f"{room}/me"]


async def is_there(person: Person, room: str) -> bool:
    return (await person.query("get", room, xml.DISCO_INFO)).get("type") == "result"


@judged("F22", "B8", "J13", "L10", kinds=("local",), alone=True)
async def f22_rooms_in_the_same_process(scene: JudgedScene) -> None:
    """Server and rooms are killed: the account is back where there is a room, makes none, and a device finds all."""
    phone = await scene.phone()
    rooms = [f"{number}-{scene.room}" for number in range(LASTING + BRIEF)]
    lasting, brief = rooms[:LASTING], rooms[LASTING:]
    for room in lasting:
        await scene.order(f'muc:create("{room}",{{persistent=true}})')
    for room in rooms:
        await phone.join(room, "me")
    await scene.until_stored(IN, rooms=len(rooms))
    await scene.restart(killed=True)
    watcher = await scene.person("watcher")
    for room in lasting:
        await watcher.join(room, "watcher")
    for room in lasting:
        if not of_account(watcher, room):
            await watcher.expect(xml.presence(sender=f"{room}/me"))
    there = [await is_there(watcher, room) for room in brief]
    check(not any(there), f"no room is made anew: {there}")
    laptop = await scene.laptop()
    for room in rooms:
        came = await laptop.join(room, "me")
        is_made = "201" in xml.codes(xml.self_presence(came))
        check(is_made == (room in brief), f"{room}: made by the device that asks for it, or found")
    for room in lasting:
        await watcher.drain(room)
        gone = [stanza for stanza in of_account(watcher, room) if stanza.get("type") == "unavailable"]
        check(not gone, f"no leave: {[xml.text(stanza) for stanza in gone]}")
