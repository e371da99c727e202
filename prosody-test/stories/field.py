"""What people have reported from the field, in rooms of real services: F1 to F28 of docs/xep-map.md."""

from client import xml
from client.person import Person
from client.xml import quoteattr
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged
from stories.avatars import PHOTO
from stories.devices import UNAVAILABLE, one_device, two_devices


async def show_roles(owner: Person, *roles: str) -> None:
    """Says whose presence the room shows to the others."""
    await owner.configure(presencebroadcast=list(roles))


@judged("F2", "K6", "J1", "J21", kinds=("local", "slow"))
async def f2_hidden_occupants(scene: JudgedScene) -> None:
    """The owner hides participants: they are gone, go on talking, and come back; nobody was thrown out."""
    carol = await scene.guest("carol")
    phone, laptop = await two_devices(scene)
    await show_roles(scene.judge, "moderator")
    for device in (phone, laptop):
        gone = await device.expect(xml.presence(sender=carol.occupant_jid, type="unavailable"))
        check(xml.item(gone).get("role") == "participant" and not xml.codes(gone), f"hidden: {xml.text(gone)}")
    await carol.say("still here")
    for device in (phone, laptop):
        await device.expect(xml.message(body="still here", sender=carol.occupant_jid))
    tablet = await scene.device("me", "tablet")
    came = await tablet.join(scene.room, "me")
    check(not any(xml.presence(sender=carol.occupant_jid)(stanza) for stanza in came), "not shown to a later one")
    await show_roles(scene.judge, "moderator", "participant", "visitor")
    for device in (phone, laptop, tablet):
        await device.expect(xml.presence(sender=carol.occupant_jid))
    await scene.sees_one("me", phone, laptop, tablet)


@compared("F23", "J8", "J21", "M9")
async def f23_room_with_an_avatar(scene: ComparedScene) -> None:
    """Its presence is nobody's, and that it is logged is said at the join and on no other presence."""
    bob = await scene.owner()
    await bob.query("set", scene.room, PHOTO)
    await scene.me.join(scene.room, "me")
    await bob.update("<show>away</show>")
    await bob.update("")
    await scene.me.update("<show>away</show>")
    await scene.settle(bob, scene.me)
    await scene.me.drain(scene.room)


@judged("F3", "J1", "N6", "P1", "I1", "K6")
async def f3_odd_nicks(scene: JudgedScene) -> None:
    """A nick is all that follows the first slash, with slashes, at signs, quotes and markup."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "/me")
    bob = await scene.guest("bob")
    for nick in ("/help", "a@b/c", "o'k & <x>"):
        await bob.change_nick(nick)
        await scene.settle(bob, phone)
        came = await laptop.join(scene.room, "/me")
        check(any(stanza.get("from") == bob.occupant_jid for stanza in came), f"{nick} is shown")
        phone.send_message("psst", to=bob.occupant_jid)
        got = await bob.expect(xml.message(body="psst"))
        check(got.get("from") == f"{scene.room}//me", f"from {got.get('from')}")
        bob.send_message("what?", to=got.get("from"))
        for device in (phone, laptop):
            await device.expect(xml.message(body="what?", sender=bob.occupant_jid))
        id = phone.send_query("get", bob.occupant_jid, "<query xmlns='urn:example:ask'/>")
        asked = await bob.expect(xml.Match(lambda stanza: xml.kind(stanza) == "iq", "a query"))
        bob.answer(asked)
        check((await phone.expect(xml.answer(id))).get("from") == bob.occupant_jid, "answered by that nick")
        await laptop.leave()
    check((await phone.ping(phone.occupant_jid)).get("type") == "result", "in as /me")
    await scene.judge.kick(bob.nick, "enough")
    await phone.expect(xml.presence(sender=bob.occupant_jid, type="unavailable"))
    await scene.sees_one("/me", phone)


@judged("F4", "J7", "J17")
async def f4_nicks_that_look_alike(scene: JudgedScene) -> None:
    """Equal after preparation is one nick; a nick that is too long leaves nothing behind."""
    phone, laptop = await scene.phone(), await scene.laptop()
    check(await phone.refused(scene.room, "n" * 1024) is not None, "longer than any nick may be")
    await phone.join(scene.room, "\uff21\uff4c\uff49\uff43\uff45")  # full width
    check(phone.nick == "Alice", f"prepared: {phone.nick}")
    came = await laptop.join(scene.room, "Al\u00adice")  # with a soft hyphen
    own = xml.self_presence(came)
    check("210" not in xml.codes(own), "no other nick than it asked for")
    tablet = await scene.device("me", "tablet")
    came = await tablet.join(scene.room, "\u0410lice")  # with a Cyrillic letter
    own = xml.self_presence(came)
    check("210" in xml.codes(own) and tablet.nick == "Alice", "which only looks alike")
    await scene.sees_one("Alice", phone, laptop, tablet)


@judged("F5", "J13", "M2")
async def f5_capital_letters(scene: JudgedScene) -> None:
    """A room's address in another spelling is the same room."""
    phone, laptop = await scene.phone(), await scene.laptop()
    name, _, service = scene.room.partition("@")
    phone.send_join(f"{name.upper()}@{service.title()}", "me")
    await phone.joined()
    await laptop.join(scene.room, "me")
    check(len(await scene.judge_saw(phone, laptop)) == 1, "the judge sees one join")
    scene.check_one_occupant("me")
    id = phone.send_message("in capitals")
    for device in (phone, laptop):
        got = await device.expect(xml.message(body="in capitals", id=id))
        check(got.get("from") == f"{scene.room}/me", f"from {got.get('from')}")
    check((await phone.ping(phone.occupant_jid)).get("type") == "result", "in")
    phone.send_leave()
    await phone.expect(UNAVAILABLE)
    await laptop.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    scene.check_no_occupant()


@judged("F5", "J13")
async def f5_escaped_letters(scene: JudgedScene) -> None:
    """An escaped space (XEP-0106) is part of the name and never taken back."""
    phone, laptop = await scene.phone(), await scene.laptop()
    scene.room = scene.room.replace("-room@", "\\20room@")
    await scene.judge.join(scene.room, "judge")
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    await scene.judge.say("hello")
    for device in (phone, laptop):
        got = await device.expect(xml.message(body="hello"))
        check(got.get("from") == f"{scene.room}/judge", f"from {got.get('from')}")
    await scene.sees_one("me", phone, laptop)


def stanzas(device: Person, *parts: str) -> str:
    """Presences of a device to its room, to be sent in one write."""
    to = quoteattr(device.occupant_jid)
    kinds = {"join": f"<x xmlns='{xml.MUC}'/>", "presence": "", "leave": ""}
    attributes = {"leave": " type='unavailable'"}
    return "".join(
        f"<presence id={quoteattr(f'{kind}{number}')} to={to}{attributes.get(kind, '')}>{kinds[kind]}</presence>"
        for number, kind in enumerate(parts)
    )


@judged("F6", "L1", "L3", "J12")
async def f6_join_leave_join(scene: JudgedScene) -> None:
    """In one write: the room hears nothing of it, and the device is shown the room again under the last id."""
    phone = await one_device(scene)
    phone.send(stanzas(phone, "join", "leave", "join"))
    await phone.expect(xml.presence(type="unavailable", status={"110"}, id="leave1"))
    came = await phone.joined()
    own = xml.self_presence(came)
    check(own.get("id") == "join2", f"the last id: {own.get('id')}")
    await phone.say("here")
    check(not [stanza for stanza in await scene.judge_saw(phone) if stanza.get("type")], "the judge sees no leave")
    scene.check_one_occupant("me")


@judged("F6", "J14", "L3")
async def f6_join_leave_presence(scene: JudgedScene) -> None:
    """The third one without <x/> is no way back in: the device is told that it is out, and joins."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    phone.send(stanzas(phone, "join", "leave", "presence"))
    await phone.expect(xml.presence(type="unavailable", status={"110"}, id="leave1"))
    gone = await phone.expect(xml.presence(type="unavailable", sender=phone.occupant_jid))
    check({"110", "333", "307"} <= xml.codes(gone), f"told that it is out: {xml.text(gone)}")
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)


@judged("F7", "M6", "N2", "L1", "K1")
async def f7_nothing_for_who_is_outside(scene: JudgedScene) -> None:
    """A device that never joined is shown nothing, whatever happens to the others."""
    outside, phone = await scene.device("me", "tablet"), await scene.phone()
    await phone.join(scene.room, "me")
    await phone.change_nick("i")
    await phone.update("<show>away</show>")
    await scene.judge.set_subject("tea")
    await scene.judge.kick("i", "too loud")
    await phone.expect(UNAVAILABLE)
    await phone.join(scene.room, "me")
    await scene.judge.command("<item nick='me' role='visitor'/>")
    await phone.drop()
    await scene.judge.say("anybody?")
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me")
    await laptop.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await outside.drain(scene.room)
    came = [xml.text(stanza) for stanza in outside.received if stanza.get("from", "").startswith(f"{scene.room}/")]
    check(not came, f"it saw {came}")


@judged("F8", "J9", "J30", "M9")
async def f8_before_the_room_is_configured(scene: JudgedScene) -> None:
    """The second device walks in before the first one, who made the room, has configured it."""
    scene.room = scene.room.replace("-room@", "-new-room@")
    phone, laptop = await scene.phone(), await scene.laptop()
    came = await phone.join(scene.room, "me")
    check(any("201" in xml.codes(stanza) for stanza in came), "the first one made the room")
    came = await laptop.join(scene.room, "me")
    check(not any("201" in xml.codes(stanza) for stanza in came), "the second one did not")
    await phone.configure(membersonly="1", whois="anyone")
    for device in (phone, laptop):
        await device.drain(scene.room)
        codes = set().union(*(xml.codes(stanza) for stanza in device.received))  # ejabberd tells before it answers
        check({"104", "172"} <= codes, f"{device.jid} hears of it: {codes}")
    about = await laptop.query("get", scene.room, xml.DISCO_INFO)
    features = {feature.get("var") for feature in about.iter(f"{{{xml.DISCO}}}feature")}
    check("muc_membersonly" in features, f"what the room says of itself: {features}")


@judged("F8", "F9", "K1", "J17")
async def f8_made_and_given_up(scene: JudgedScene) -> None:
    """The first device thinks better of it: both are out, and nobody comes back by himself."""
    scene.room = scene.room.replace("-room@", "-new-room@")
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    id = phone.send_query("set", scene.room, f"<query xmlns='{xml.MUC_OWNER}'><destroy/></query>")
    for device in (phone, laptop):
        await device.expect(xml.presence(type="unavailable", sender=f"{scene.room}/me"))
        more = [stanza for stanza in await device.drain(scene.room) if stanza.get("id") != id]
        check(not more, f"nothing more for {device.jid} but the result")


@judged("F11", "L1", "L2", "L4", "M6")
async def f11_attach_one_not_both(scene: JudgedScene) -> None:
    """Leaving and joining is of one device; who comes online later is in nothing."""
    phone, laptop = await two_devices(scene)
    await phone.leave()
    await scene.judge.say("one")
    await laptop.expect(xml.message(body="one"))
    check(not await phone.drain(scene.room), "nothing for the one that left")
    await phone.join(scene.room, "me")
    await laptop.leave()
    await scene.judge.say("two")
    await phone.expect(xml.message(body="two"))
    check(not await laptop.drain(scene.room), "nothing for the other one")
    await phone.close()
    tablet = await scene.device("me", "tablet")
    await scene.judge.say("three")
    for device in (laptop, tablet):
        came = [stanza for stanza in await device.drain() if scene.room in stanza.get("from", "")]
        check(not came, f"nothing for {device.jid}")
    await scene.settle(scene.judge)
    await scene.saw_nothing("me")


@judged("F25", "M3", "L3", "L7", "J17")
async def f25_speak_and_run(scene: JudgedScene) -> None:
    """A script joins, speaks and ends in one write, again and again: one join, all messages, no leave."""
    for number in range(5):
        script = await scene.device("me", f"cron{number}")
        script.room, script.nick = scene.room, "me"
        words = f"<message type='groupchat' id='m{number}' to='{scene.room}'><body>run {number}</body></message>"
        await script.close(stanzas(script, "join") + words)
        await scene.judge.expect(xml.message(body=f"run {number}"))
    saw = await scene.judge_saw()
    check(len(saw) == 1, f"the judge sees one join: {[xml.text(stanza) for stanza in saw]}")
    scene.check_one_occupant("me")


@judged("F25", "J15", "J17")
async def f25_speak_and_run_with_a_wrong_password(scene: JudgedScene) -> None:
    """Nothing is said, and nothing stays behind: the next join is asked for the password again."""
    await scene.judge.configure(passwordprotectedroom="1", roomsecret="cauldron")
    script = await scene.device("me", "cron")
    words = f"<message type='groupchat' id='m' to='{scene.room}'><body>run</body></message>"
    join = f"<presence id='j' to='{scene.room}/me'><x xmlns='{xml.MUC}'><password>broom</password></x></presence>"
    await script.close(join + words)
    phone = await scene.phone()
    check(await phone.refused(scene.room, "me") == "not-authorized", "no password")
    await phone.join(scene.room, "me", "<password>cauldron</password>")
    await scene.sees_one("me", phone)
    check(not any(xml.message(body="run")(stanza) for stanza in scene.judge.received), "nothing was said")
