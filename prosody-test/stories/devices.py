"""Several devices of one account, watched by somebody on another host."""

import asyncio

from client import xml
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged

UNAVAILABLE = xml.presence(type="unavailable", status={"110"})


async def two_devices(scene: JudgedScene) -> tuple[Person, Person]:
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    await scene.judge_saw(phone, laptop)
    return phone, laptop


@judged("J1", "J2", "J5", "J7", "M2", "R4")
async def second_device_attaches(scene: JudgedScene) -> None:
    """The room hears nothing of the second one, and both get each message once."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    check(len(await scene.judge_saw(phone)) == 1, "the judge sees one join")
    id = laptop.send_join(scene.room, "me")
    came = await laptop.joined()
    own = next(stanza for stanza in came if "110" in xml.codes(stanza))
    check(own.get("id") == id, "its own id")
    check(xml.item(own).get("jid") in (None, laptop.jid), "its own full JID")
    check(not await scene.judge_saw(phone, laptop), "the judge sees nothing of the second one")
    scene.check_one_occupant("me")
    await phone.say("from the phone")
    await laptop.expect(xml.message(body="from the phone"))
    await scene.judge.say("from the judge")
    for device in (phone, laptop):
        came = await device.drain(scene.room)
        bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in came]
        check(bodies.count("from the judge") == 1 and len(bodies) == 1, f"{device.jid} got {bodies}")


@judged("J6", "J7")
async def second_device_wants_another_nick(scene: JudgedScene) -> None:
    """One account has one nick, and the second device is told which."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    came = await laptop.join(scene.room, "other")
    own = next(stanza for stanza in came if "110" in xml.codes(stanza))
    check(own.get("from") == f"{scene.room}/me" and "210" in xml.codes(own), f"told the real nick: {xml.text(own)}")
    await scene.judge_saw(phone, laptop)
    scene.check_one_occupant("me")


@judged("J13", "J1")
async def both_join_at_once(scene: JudgedScene) -> None:
    """One join goes up, and each device gets the answer to its own."""
    phone, laptop = await scene.phone(), await scene.laptop()
    ids = [phone.send_join(scene.room, "me"), laptop.send_join(scene.room, "me")]
    came = await asyncio.gather(phone.joined(), laptop.joined())
    for id, stanzas in zip(ids, came, strict=True):
        own = [stanza for stanza in stanzas if "110" in xml.codes(stanza)]
        check([stanza.get("id") for stanza in own] == [id], "one self-presence, with the id of its own join")
    check(len(await scene.judge_saw(phone, laptop)) == 1, "the judge sees one join")
    scene.check_one_occupant("me")


@judged("J13", "J15", "J17")
async def one_has_a_wrong_password(scene: JudgedScene) -> None:
    """The right password lets both in, whichever is tried first, or the wrong one is refused alone."""
    await scene.judge.configure(passwordprotectedroom="1", roomsecret="cauldron")
    phone, laptop = await scene.phone(), await scene.laptop()
    wrong = phone.send_join(scene.room, "me", "<password>broom</password>")
    laptop.send_join(scene.room, "me", "<password>cauldron</password>")
    await laptop.joined()
    await phone.expect(xml.presence(id=wrong, status={"110"}) | xml.presence_error(wrong))
    await scene.judge_saw(laptop)
    scene.check_one_occupant("me")


@judged("L1", "L2", "M6", "M3")
async def one_of_two_leaves(scene: JudgedScene) -> None:
    """The other stays, and the room hears nothing."""
    phone, laptop = await two_devices(scene)
    leave = phone.send_leave("off")
    gone = await phone.expect(UNAVAILABLE)
    check(gone.get("id") == leave and xml.item(gone).get("role") == "none", "answered at once")
    await scene.judge.say("still here?")
    await laptop.expect(xml.message(body="still here?"))
    check(not await phone.drain(scene.room), "nothing more reaches the one that left")
    check(not await scene.judge_saw(laptop), "the judge sees no leave")
    scene.check_one_occupant("me")
    id = phone.send_message("from outside")
    await phone.expect(xml.message(id=id, type="error"))


@judged("L3", "L1")
async def last_of_two_leaves(scene: JudgedScene) -> None:
    """Then the account leaves, with the words of the last one."""
    phone, laptop = await two_devices(scene)
    await phone.leave("first")
    await laptop.leave("last words")
    gone = await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    check(gone.findtext(xml.CLIENT + "status") == "last words", f"its status: {xml.text(gone)}")
    scene.check_no_occupant()
    check(not await phone.drain(scene.room) and not await laptop.drain(scene.room), "nothing follows")


@judged("L4", "L2")
async def quit_like_profanity(scene: JudgedScene) -> None:
    """A directed unavailable and the stream's end in one write: the session ends, the account stays."""
    phone, laptop = await two_devices(scene)
    await laptop.leave()
    await phone.close(phone.leave_stanza("quit"))
    await scene.judge.say("after the quit")
    check(not await scene.judge_saw(laptop), "the judge sees no leave")
    scene.check_one_occupant("me")
    again = await scene.device("me", "tablet")
    came = await again.join(scene.room, "me")
    check(any(xml.message(body="after the quit")(stanza) for stanza in came), "what was said meanwhile is history")
    check(not await scene.judge_saw(again), "and the judge sees no join")


@judged("R4", "J1", "M1", "L3")
async def five_devices_one_occupant(scene: JudgedScene) -> None:
    """All that another account ever sees of five devices is one occupant who comes, speaks and goes."""
    devices = [await scene.device("me", f"device{number}") for number in range(5)]
    for device in devices:
        await device.join(scene.room, "me")
    for device in devices:
        await device.say(f"from {device.jid}")
    for device in devices:
        await device.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    seen = [stanza for stanza in scene.judge.received if stanza.get("from") == f"{scene.room}/me"]
    told = [(xml.kind(stanza), stanza.get("type"), stanza.findtext(xml.CLIENT + "body")) for stanza in seen]
    said = [("message", "groupchat", f"from {device.jid}") for device in devices]
    check(told == [("presence", None, None), *said, ("presence", "unavailable", None)], f"the judge sees {told}")


@judged("L4")
async def general_unavailable(scene: JudgedScene) -> None:
    """A client that says goodbye to everybody has not left its rooms."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    phone.send("<presence type='unavailable'/>")
    info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    await phone.query("get", scene.room, info)  # a leave that is held back goes before it
    await scene.settle(scene.judge)
    check(not any(stanza.get("type") == "unavailable" for stanza in await scene.judge_saw()), "no leave is seen")
    scene.check_one_occupant("me")


@judged("L4", "J1", "H1")
async def disconnect_and_return(scene: JudgedScene) -> None:
    """The only device loses its connection and comes back as a new session."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    await phone.drop()
    await scene.judge.say("while you were away")
    again = await scene.device("me", "tablet")
    came = await again.join(scene.room, "me")
    missed = [stanza for stanza in came if xml.message(body="while you were away")(stanza)]
    check(len(missed) == 1 and missed[0].find(xml.DELAY) is not None, "what it missed comes once, as history")
    check(not await scene.judge_saw(again), "the judge sees neither leave nor join")
    scene.check_one_occupant("me")


@judged("L5", "M13")
async def resume_beside_another(scene: JudgedScene) -> None:
    """One device is away and resumes; each gets all, once and in order."""
    phone, laptop = await scene.phone(managed=True), await scene.laptop()
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    await scene.judge_saw(phone, laptop)
    await phone.drop()
    bodies = [f"number {number}" for number in range(5)]
    for body in bodies:
        await scene.judge.say(body)
    await phone.resume()
    for device in (phone, laptop):
        came = [stanza.findtext(xml.CLIENT + "body") for stanza in await device.drain(scene.room)]
        check(came == bodies, f"{device.jid} got {came}")
    check(not await scene.judge_saw(phone, laptop), "the judge sees nothing of it")


@judged("K1", "K2")
async def both_are_kicked(scene: JudgedScene) -> None:
    """Each is told, nothing follows, and a join starts clean."""
    phone, laptop = await two_devices(scene)
    await scene.judge.kick("me", "too loud")
    for device in (phone, laptop):
        removal = await device.expect(UNAVAILABLE)
        check("307" in xml.codes(removal), "the code of a kick")
        check(not await device.drain(scene.room), "and nothing more")
    scene.check_no_occupant()
    await laptop.join(scene.room, "me")
    await scene.judge_saw(laptop)
    scene.check_one_occupant("me")


@judged("K1", "K2", "J16")
async def both_are_banned(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    await scene.judge.affiliate(scene.me, "outcast", "enough")
    for device in (phone, laptop):
        check("301" in xml.codes(await device.expect(UNAVAILABLE)), "the code of a ban")
    check(await phone.refused(scene.room, "me") == "forbidden", "no way back")
    scene.check_no_occupant()


@judged("K1")
async def destroyed_under_both(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    await scene.judge.destroy("closing time")
    for device in (phone, laptop):
        gone = await device.expect(xml.presence(type="unavailable", sender=f"{scene.room}/me"))
        check(gone.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}destroy") is not None, "the reason is there")
