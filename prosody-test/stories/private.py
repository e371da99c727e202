"""Private messages of an account with several devices: XEP-0045 §7.5, carbons, the archive and the offline store."""

from client import xml
from client.person import Person
from client.xml import Element
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.lab import BOUNCING
from stories.devices import one_device
from stories.queries import MAM, RESULT

CARBONS = "urn:xmpp:carbons:2"
FORWARDED = "{urn:xmpp:forward:0}forwarded"


async def with_carbons(device: Person) -> Person:
    await device.query("set", device.account, f"<enable xmlns='{CARBONS}'/>")
    return device


async def in_and_outside(scene: JudgedScene) -> tuple[Person, Person, Person]:
    """Two devices in the room and one outside, all with carbons."""
    phone, laptop = await with_carbons(await scene.phone()), await with_carbons(await scene.laptop())
    outside = await with_carbons(await scene.device("me", "tablet"))
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    await scene.judge_saw(phone, laptop)
    return phone, laptop, outside


async def messages(device: Person, room: str = "") -> list[Element]:
    return [stanza for stanza in await device.drain(room) if xml.kind(stanza) == "message"]


def copied(carbon: Element) -> Element:
    """The message within a carbon of a sent one."""
    forwarded = carbon.find(f"{{{CARBONS}}}sent/{FORWARDED}")
    check(forwarded is not None, f"a carbon: {xml.text(carbon)}")
    return forwarded[0]


async def archived(device: Person, peer: str) -> list[str | None]:
    """What the account's archive has of that peer, asked for as a client does."""
    form = xml.form(MAM, {"with": [peer]})
    id = device.send_query("set", device.account, f"<query xmlns='{MAM}'>{form}</query>")
    came = await device.until(xml.answer(id))
    results = [stanza.find(RESULT) for stanza in came if stanza.find(RESULT) is not None]
    return [result.findtext(f"{FORWARDED}/{xml.CLIENT}message/{xml.CLIENT}body") for result in results]


@judged("P1", "P5", "C1", "C3", "M6")
async def private_message_is_mirrored(scene: JudgedScene) -> None:
    """The other device in the room gets one carbon of what was sent, the one outside nothing."""
    phone, laptop, outside = await in_and_outside(scene)
    without = await scene.device("me", "desk")
    await without.join(scene.room, "me")
    for extra in ("", f"<x xmlns='{xml.MUC_USER}'/>"):
        id = phone.send_message("psst", to=f"{scene.room}/judge", extra=extra)
        got = await scene.judge.expect(xml.message(body="psst"))
        check(got.get("from") == f"{scene.room}/me", f"it comes from the occupant: {xml.text(got)}")
        await phone.drain(scene.room)
        [carbon] = await messages(laptop, scene.room)
        message = copied(carbon)
        check(carbon.get("from") == scene.me and carbon.get("to") == laptop.jid, xml.text(carbon))
        check((message.get("id"), message.get("to")) == (id, f"{scene.room}/judge"), xml.text(message))
        check(len(message.findall(f"{{{xml.MUC_USER}}}x")) == 1, f"marked as a room's: {xml.text(message)}")
        for device in (phone, outside, without):
            check(not await messages(device, scene.room), f"nothing for {device.jid}")
    check(not await messages(scene.judge, scene.room), "and once for who it was for")


@judged("P5")
async def private_message_not_to_be_copied(scene: JudgedScene) -> None:
    phone, laptop, outside = await in_and_outside(scene)
    for extra in (f"<private xmlns='{CARBONS}'/>", "<no-copy xmlns='urn:xmpp:hints'/>"):
        phone.send_message("psst", to=f"{scene.room}/judge", extra=extra)
        await scene.judge.expect(xml.message(body="psst"))
        await phone.drain(scene.room)
        for device in (laptop, outside):
            check(not await messages(device, scene.room), f"nothing for {device.jid}")


@judged("P5", "P3", "F42")
async def private_message_to_oneself(scene: JudgedScene) -> None:
    """The room's own copy reaches everybody who is in, so no other is made."""
    phone, laptop, outside = await in_and_outside(scene)
    phone.send_message("note", to=f"{scene.room}/me")
    for device in (phone, laptop):
        await device.expect(xml.message(body="note", sender=f"{scene.room}/me"))
        check(not await messages(device, scene.room), f"once for {device.jid}")
    check(not await messages(outside), "nothing for the one outside")
    check(await archived(phone, scene.room) == ["note"], "once in the archive")


@judged("P3", "C2", "M6")
async def private_message_with_carbons(scene: JudgedScene) -> None:
    """What comes in reaches each device in the room once, and makes no carbon."""
    phone, laptop, outside = await in_and_outside(scene)
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    for device in (phone, laptop):
        [got] = await messages(device, scene.room)
        check(got.findtext(xml.CLIENT + "body") == "psst" and got.get("to") == device.jid, xml.text(got))
    check(not await messages(outside), "nothing for the one outside")


@judged("F27", "P6")
async def f27_one_whisper_one_line(scene: JudgedScene) -> None:
    """The account's archive has each private message once, whoever sent it and however many devices are in."""
    phone, laptop, outside = await in_and_outside(scene)
    scene.judge.send_message("one", to=f"{scene.room}/me")
    await laptop.expect(xml.message(body="one"))
    laptop.send_message("two", to=f"{scene.room}/judge")
    await scene.judge.expect(xml.message(body="two"))
    await phone.leave()
    await phone.join(scene.room, "me")
    scene.judge.send_message("three", to=f"{scene.room}/me")
    await laptop.expect(xml.message(body="three"))
    phone.send_message("four", to=f"{scene.room}/judge")
    await scene.judge.expect(xml.message(body="four"))
    await scene.settle(phone, laptop)
    lines = await archived(outside, f"{scene.room}/judge")
    check(lines == ["one", "two", "three", "four"], f"the archive has {lines}")
    check(await archived(outside, scene.room) == lines, "and the same by the room")


@judged("P7", "P8")
async def private_message_refused(scene: JudgedScene) -> None:
    """The error is for who sent it; for one that has gone it is for nobody, and is not stored either."""
    phone, laptop, outside = await in_and_outside(scene)
    id = phone.send_message("anybody", to=f"{scene.room}/nobody")
    error = await phone.expect(xml.message(id=id, type="error"))
    check(error.get("to") == phone.jid, xml.text(error))
    for device in (laptop, outside):
        check(not [s for s in await messages(device, scene.room) if s.get("type") == "error"], f"{device.jid} hears it")
    await laptop.close()
    await outside.close()
    nowhere = f"<message type='chat' id='last' to='{scene.room}/nobody'><body>anybody</body></message>"
    await phone.close(nowhere)
    await scene.arrived()
    check(not await messages(await scene.arriving("desk")), "nothing was stored")
    check(not await scene.judge_saw(), "and the account is in")


async def stored_for_later(scene: JudgedScene) -> None:
    """The judge says something in private, and a session that comes online is given it once."""
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    came = await scene.judge.drain(scene.room)
    check(not [stanza for stanza in came if stanza.get("type") == "error"], "nothing bounces")
    await scene.arrived()
    device = await scene.arriving("laptop")
    got = await device.expect(xml.message(body="psst"))
    check(got.get("from") == f"{scene.room}/judge" and got.find(xml.DELAY) is not None, xml.text(got))
    check(not await messages(device), "once")
    await scene.saw_nothing("me")
    came = await device.join(scene.room, "me")
    check(not any(xml.message(body="psst")(stanza) for stanza in came), "it is no history of the room")


@judged("P4", "M7", "H11")
async def private_message_for_later(scene: JudgedScene) -> None:
    """Nobody is online: it is kept for the next login."""
    phone = await one_device(scene)
    await phone.close()
    await stored_for_later(scene)


@judged("P4", "M7", "M6")
async def private_message_with_a_device_outside(scene: JudgedScene) -> None:
    """One is online, but not in the room: it gets nothing, and the message is kept."""
    phone, outside = await scene.phone(), await scene.device("me", "tablet")
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    await phone.close()
    await stored_for_later(scene)
    came = [stanza for stanza in outside.received if scene.room in stanza.get("from", "")]
    check(not came, "the one outside gets nothing")


@judged("P4", "L3", "L4")
async def private_message_between_leave_and_quit(scene: JudgedScene) -> None:
    """A client that quits says that it leaves: what comes before its stream ends is kept as well."""
    phone = await one_device(scene)
    phone.send_leave()
    await phone.expect(xml.presence(type="unavailable", status={"110"}))
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    await scene.arrived()
    await phone.close()
    laptop = await scene.arriving("laptop")
    await laptop.expect(xml.message(body="psst"))
    await scene.saw_nothing("me")


@judged("P3", "M2")
async def word_about_carbons(scene: JudgedScene) -> None:
    """What a sender tells servers about carbons reaches no device, as on a server without the module."""
    phone, laptop, _ = await in_and_outside(scene)
    scene.judge.send_message("psst", to=f"{scene.room}/me", extra=f"<private xmlns='{CARBONS}'/>")
    for device in (phone, laptop):
        got = await device.expect(xml.message(body="psst"))
        check(got.find(f"{{{CARBONS}}}private") is None, xml.text(got))


@judged("L5", "P4", "M7", "L4", host=BOUNCING)
async def private_message_to_one_that_never_wakes(scene: JudgedScene) -> None:
    """What came while its stream could have been resumed is not bounced; what was private is kept."""
    phone, witness = await one_device(scene, managed=True), await scene.device("me", "tablet")
    await phone.drop()
    await scene.judge.say("to all")
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    await scene.arrived()
    await witness.expect(xml.presence(sender=phone.jid, type="unavailable"))
    await scene.settle(scene.judge, witness)
    left = [stanza for stanza in await scene.judge_saw() if stanza.get("type") == "unavailable"]
    check(not left, "the account is not thrown out")
    scene.check_one_occupant("me")
    check(not [s for s in witness.received if s.get("from", "").startswith(scene.room + "/")], "nothing outside")
    laptop = await scene.arriving("laptop")
    await laptop.expect(xml.message(body="psst"))
    check(not await messages(laptop), "the private one once, and nothing else")
    came = await laptop.join(scene.room, "me")
    check(any(xml.message(body="to all")(stanza) for stanza in came), "the other one is history")
