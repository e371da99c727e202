"""A room that does what no stock room does, or does it late: hostile and broken services, and outages."""

from client import xml
from client.person import Person
from client.xml import Element
from harness.puppet import GOT, JOIN, ScriptedScene
from harness.story import check, scripted

LEAVE = xml.presence(type="unavailable")
ARCHIVE_QUERY = xml.Match(lambda stanza: stanza.find("{urn:xmpp:mam:2}query") is not None, "a query to the archive")
SELF_PING = xml.Match(lambda stanza: stanza.find("{urn:xmpp:ping}ping") is not None, "a self-ping")


async def enter(scene: ScriptedScene, device: Person) -> Element:
    """A device joins a room that lets the account in; returns what the room was asked."""
    join = await scene.asked_in(device)
    await scene.let_in(join)
    await device.joined()
    return join


@scripted("R4", "J13")
async def the_account_joins_once(scene: ScriptedScene) -> None:
    """What goes up is one join from the bare JID."""
    phone, laptop = await scene.phone(), await scene.laptop()
    join = await scene.asked_in(phone)
    check(join.get("from") == scene.me, f"the join comes from {join.get('from')}")
    laptop.send_join(scene.room, "me")
    await laptop.drain()
    await scene.let_in(join)
    await phone.joined()
    await laptop.joined()
    check(not any(stanza.find(GOT) is not None for stanza in await scene.handler.drain()), "only one")


@scripted("J31", "J4", "H10")
async def no_live_traffic_within_a_join(scene: ScriptedScene) -> None:
    """What is said between the self-presence and the subject is history, and comes once."""
    phone = await scene.phone()
    join = await scene.asked_in(phone)
    await scene.emit(
        scene.presence(f"{scene.room}/other", join.get("from"))
        + scene.presence(f"{scene.room}/me", join.get("from"), ("110",), join.get("id"))
        + scene.message(f"{scene.room}/other", join.get("from"), "<body>early</body>")
        + scene.message(scene.room, join.get("from"), "<subject/>")
    )
    came = await phone.joined()
    check([xml.message(body="early")(stanza) for stanza in came][-2:] == [True, False], "before the subject")
    check(not await scene.drain(phone), "and not again")


@scripted("J16", "J17")
async def join_refused(scene: ScriptedScene) -> None:
    """The error goes to the device that asked, and the next join goes up again."""
    phone = await scene.phone()
    id = phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    error = (
        "<error type='auth' by='elsewhere'><registration-required xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>members only</text></error>"
    )
    await scene.emit(
        f"<presence xmlns='jabber:client' type='error' id='{join.get('id')}' from='{join.get('to')}'"
        f" to='{join.get('from')}'>{error}</presence>"
    )
    refused = await phone.expect(xml.presence_error(id))
    check(xml.condition(refused) == "registration-required", xml.text(refused))
    check(refused.find(xml.CLIENT + "error").get("by") == "elsewhere", f"who said so: {xml.text(refused)}")
    await enter(scene, phone)


@scripted("F21", "J26", "J17", "R5")
async def join_never_answered(scene: ScriptedScene) -> None:
    """After 30 s the device hears of a time-out, and the room of a leave; a late answer reaches nobody."""
    phone = await scene.phone()
    id = phone.send_join(scene.room, "me")
    first = await scene.got(JOIN)
    refused = await phone.expect(xml.presence_error(id), timeout=40)
    check(xml.condition(refused) == "remote-server-timeout", xml.text(refused))
    await scene.got(LEAVE)
    await scene.emit(scene.presence(f"{scene.room}/me", first.get("from"), ("110",), first.get("id")))
    check(not await scene.drain(phone), "a late answer reaches nobody")
    again = await scene.asked_in(phone)
    check(again.get("from") == scene.me, "silence is no reason to let a session join by itself")


@scripted("R1", "M8", "R4")
async def nonsense_from_a_room(scene: ScriptedScene) -> None:
    """Malformed and forged stanzas neither raise an error, nor join or remove anybody."""
    phone = await scene.phone()
    join = await enter(scene, phone)
    to, room = join.get("from"), scene.room
    elsewhere = f"elsewhere@{scene.service}"
    await scene.emit(
        scene.presence(room, to)  # no nick
        + scene.presence(f"{room}/{'n' * 1000}", to)
        + scene.presence(f"{room}/other", to, codes=("999", "x", ""))
        + scene.presence(f"{room}/me", to, codes=("110", "110"))
        + scene.presence(f"{room}/other", to, item="affiliation='king' role='jester'")
        + scene.presence(f"{room}/other", to, type="strange")
        + scene.presence(f"{elsewhere}/me", to, codes=("110",))  # a room that nobody joined
        + scene.presence(f"{elsewhere}/me", to, codes=("110", "307"), type="unavailable")
        + scene.presence(f"{room}/nobody", to, type="unavailable")
        + f"<presence xmlns='jabber:client' from='{room}/bare' to='{to}'/>"
        + f"<presence xmlns='jabber:client' from='{room}/x' to='{to}'><x xmlns='{xml.MUC_USER}'/></presence>"
        + f"<presence xmlns='jabber:client' from='{room}/y' to='{to}'><x xmlns='{xml.MUC_USER}'>"
        + "<item/><item/></x></presence>"
        + scene.message(room, to, "")
        + scene.message(f"{room}/other", to, "<subject>a</subject><subject>b</subject>")
        + scene.message(f"{elsewhere}/other", to, "<body>stray</body>")
    )
    await scene.drain(phone)
    id = phone.send_message("still here")
    said = await scene.got(xml.message(body="still here"))
    check(said.get("from") == scene.me and said.get("id") == id, f"it goes up unchanged: {xml.text(said)}")


@scripted("M2", "R7")
async def too_deep_to_be_kept(scene: ScriptedScene) -> None:
    """What is beyond the limits reaches whoever is there, and nobody who comes later."""
    phone, laptop = await scene.phone(), await scene.laptop()
    join = await enter(scene, phone)
    deep = "<a xmlns='urn:lab:deep'>" * 80 + "</a>" * 80
    await scene.emit(scene.message(f"{scene.room}/other", join.get("from"), f"<body>deep</body>{deep}"))
    await phone.expect(xml.message(body="deep"))
    await scene.emit(scene.message(f"{scene.room}/other", join.get("from"), "<body>flat</body>"))
    await phone.expect(xml.message(body="flat"))
    laptop.send_join(scene.room, "me")
    shown = [stanza.findtext(xml.CLIENT + "body") for stanza in await laptop.joined()]
    check([text for text in shown if text] == ["flat"], f"the laptop is shown {shown}")


@scripted("K9", "I2", alone=True)
async def lost_connection_ends_the_trust(scene: ScriptedScene) -> None:
    """After a closed s2s stream the room is asked before a device's self-ping is answered."""
    phone = await scene.phone()
    await enter(scene, phone)
    check((await phone.ping(f"{scene.room}/me")).get("type") == "result", "trusted")
    await scene.order(f"s2s close {scene.host} {scene.service}")
    id = phone.send_query("get", f"{scene.room}/me", "<ping xmlns='urn:xmpp:ping'/>")
    asked = await scene.got(SELF_PING)
    check(asked.get("from") == scene.me and asked.get("to") == f"{scene.room}/me", xml.text(asked))
    await scene.answer(asked)
    check((await phone.expect(xml.answer(id))).get("type") == "result", "still in")


@scripted("K1", "K2")
async def removal_without_110(scene: ScriptedScene) -> None:
    """Openfire and older rooms say it without the code; both devices are told, with it."""
    phone, laptop = await scene.phone(), await scene.laptop()
    join = await enter(scene, phone)
    await laptop.join(scene.room, "me")
    await scene.emit(
        scene.presence(
            f"{scene.room}/me",
            join.get("from"),
            codes=("307",),
            type="unavailable",
            item="affiliation='none' role='none'",
        )
    )
    for device in (phone, laptop):
        gone = await device.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
        check({"110", "307"} <= xml.codes(gone), xml.text(gone))


async def is_out(scene: ScriptedScene, ping: Element) -> None:
    """The room answers a self-ping: the account is out."""
    head = f"xmlns='jabber:client' type='error' to='{ping.get('from')}'"
    refusal = xml.error("cancel", "not-acceptable")
    await scene.emit(f"<iq {head} id='{ping.get('id')}' from='{ping.get('to')}'>{refusal}</iq>")


async def has_no_archive(scene: ScriptedScene, query: Element) -> None:
    """The room answers a query to its archive: there is none."""
    head = f"xmlns='jabber:client' type='error' to='{query.get('from')}'"
    refusal = xml.error("cancel", "feature-not-implemented")
    await scene.emit(f"<iq {head} id='{query.get('id')}' from='{query.get('to')}'>{refusal}</iq>")


async def comes_back(scene: ScriptedScene, phone: Person) -> None:
    """The account joins by itself, and the device that was in all the time is told nothing but what is said then."""
    await scene.let_in(await scene.got(JOIN))
    await has_no_archive(scene, await scene.got(ARCHIVE_QUERY))
    await scene.emit(scene.message(f"{scene.room}/other", scene.me, "<body>back</body>"))
    heard = await phone.until(xml.message(body="back"))
    told = [xml.text(stanza) for stanza in heard if stanza.get("type") == "unavailable"]
    check(not told, f"the device is told of an end: {told}")


@scripted("K3")
async def service_shuts_down(scene: ScriptedScene) -> None:
    """A shutdown is told to nobody. The service is asked a little later, and the account joins again."""
    phone = await scene.phone()
    join = await enter(scene, phone)
    await scene.emit(scene.presence(f"{scene.room}/me", join.get("from"), codes=("110", "332"), type="unavailable"))
    await is_out(scene, await scene.got(SELF_PING))
    await comes_back(scene, phone)


@scripted("K9", "I2", "K3")
async def a_room_that_forgot_us(scene: ScriptedScene) -> None:
    """It answers a message with an error only; one self-ping decides, the account joins again, and says it again."""
    phone = await scene.phone()
    await enter(scene, phone)
    phone.send_message("anybody?")
    said = await scene.got(xml.message(body="anybody?"))
    refusal = xml.error("cancel", "not-acceptable")
    head = f"xmlns='jabber:client' type='error' to='{said.get('from')}'"
    await scene.emit(f"<message {head} id='{said.get('id')}' from='{scene.room}'>{refusal}</message>")
    await is_out(scene, await scene.got(SELF_PING))
    await comes_back(scene, phone)
    again = await scene.got(xml.message(body="anybody?"))
    check(again.get("id") == said.get("id"), f"under its id: {xml.text(again)}")


@scripted("L3", "H10")
async def late_traffic_of_an_earlier_stay(scene: ScriptedScene) -> None:
    """The room answers the leave only after the next join: its unavailable is not about the new stay."""
    phone = await scene.phone()
    first = await enter(scene, phone)
    await phone.leave()
    await scene.got(LEAVE)
    second = await scene.asked_in(phone)
    await scene.emit(scene.presence(f"{scene.room}/me", first.get("from"), codes=("110",), type="unavailable"))
    await scene.let_in(second)
    came = await phone.joined()
    check(not any(stanza.get("type") == "unavailable" for stanza in came), "the old leave is not shown")
    phone.send_message("in")
    await scene.got(xml.message(body="in"))


@scripted("J31", "H6")
async def room_without_subject(scene: ScriptedScene) -> None:
    """A service that sends none: after 5 s the join is complete, with an empty one."""
    phone = await scene.phone()
    join = await scene.asked_in(phone)
    await scene.emit(scene.presence(f"{scene.room}/me", join.get("from"), ("110",), join.get("id")))
    came = await phone.joined()
    check(not (came[-1].findtext(xml.CLIENT + "subject") or ""), "an empty subject ends the join")


@scripted("J23", "J1")
async def message_before_the_presences(scene: ScriptedScene) -> None:
    """It is neither subject nor history, and keeps its place."""
    phone = await scene.phone()
    join = await scene.asked_in(phone)
    await scene.emit(scene.message(scene.room, join.get("from"), "<diff xmlns='urn:example:diff'/>"))
    await scene.let_in(join)
    came = await phone.joined()
    places = [index for index, stanza in enumerate(came) if stanza.find("{urn:example:diff}diff") is not None]
    check(places == [0], f"it stands at {places}")


@scripted("N5", "N3")
async def renamed_by_the_room(scene: ScriptedScene) -> None:
    """Nobody asked for it; both devices follow, and what they say next is right."""
    phone, laptop = await scene.phone(), await scene.laptop()
    join = await enter(scene, phone)
    await laptop.join(scene.room, "me")
    item = "affiliation='none' role='participant' nick='guest1'"
    await scene.emit(
        scene.presence(f"{scene.room}/me", join.get("from"), ("303", "110"), type="unavailable", item=item)
        + scene.presence(f"{scene.room}/guest1", join.get("from"), ("110", "210"))
    )
    for device in (phone, laptop):
        await device.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable", status={"303", "110"}))
        await device.expect(xml.presence(sender=f"{scene.room}/guest1", status={"110"}))
        device.nick = "guest1"
    check((await phone.ping(phone.occupant_jid)).get("type") == "result", "in under the new nick")


@scripted("L7", "L1")
async def leave_while_joining(scene: ScriptedScene) -> None:
    """Answered at once; when the room lets the account in all the same, it is left again."""
    phone = await scene.phone()
    join = await scene.asked_in(phone)
    await phone.leave()
    await scene.let_in(join)
    await scene.got(LEAVE)
    check(not await scene.drain(phone), "nothing of the room reaches the one that left")


@scripted("M7", "L5", "P4")
async def no_error_goes_to_the_room(scene: ScriptedScene) -> None:
    """Whatever comes while no device is there, the room gets no error, for which it would throw out."""
    phone = await scene.phone(managed=True)
    join = await enter(scene, phone)
    await phone.close()
    to, other = join.get("from"), f"{scene.room}/other"
    await scene.emit(
        scene.message(other, to, "<body>to all</body>")
        + scene.message(other, to, "<body>to one</body>", type="chat")
        + scene.message(scene.room, to, "<subject>new</subject>")
        + scene.presence(other, to, type="unavailable")
        + f"<iq xmlns='jabber:client' type='get' id='last' from='{other}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"
    )
    answer = await scene.got(xml.answer("last") | xml.message(type="error") | xml.presence(type="error"))
    check(xml.kind(answer) == "iq", f"the room got {xml.text(answer)}")
