"""A room that does what no stock room does, or does it late: hostile and broken services, and outages."""

from client import xml
from harness.puppet import ScriptedScene
from harness.story import check, scripted

JOIN = xml.Match(lambda stanza: stanza.find(f"{{{xml.MUC}}}x") is not None and stanza.get("type") is None, "a join")
LEAVE = xml.presence(type="unavailable")


@scripted("R4", "J13")
async def the_account_joins_once(scene: ScriptedScene) -> None:
    """What goes up is one join from the bare JID."""
    phone, laptop = await scene.phone(), await scene.laptop()
    phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    check(join.get("from") == scene.me, f"the join comes from {join.get('from')}")
    laptop.send_join(scene.room, "me")
    await laptop.drain()
    await scene.let_in(join)
    await phone.joined()
    await laptop.joined()
    check(not any(stanza.find("{urn:lab:puppet}got") is not None for stanza in await scene.handler.drain()), "only one")


@scripted("J2", "J4", "H10")
async def no_live_traffic_within_a_join(scene: ScriptedScene) -> None:
    """What is said while a device waits comes behind the subject, or within the history, and once."""
    phone = await scene.phone()
    phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    say = scene.message(f"{scene.room}/other", join.get("from"), "<body>early</body>")
    await scene.emit(say)
    await scene.let_in(join)
    await phone.joined()
    await scene.drain(phone)
    bodies = [index for index, stanza in enumerate(phone.received) if xml.message(body="early")(stanza)]
    own = next(index for index, stanza in enumerate(phone.received) if "110" in xml.codes(stanza))
    check(len(bodies) <= 1 and all(index > own for index in bodies), f"it stands at {bodies}, we at {own}")


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
    phone.send_join(scene.room, "me")
    await scene.let_in(await scene.got(JOIN))
    await phone.joined()


@scripted("J26", "J17")
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


@scripted("R1", "M8", "R4")
async def nonsense_from_a_room(scene: ScriptedScene) -> None:
    """Malformed and forged stanzas neither raise an error, nor join or remove anybody."""
    phone = await scene.phone()
    phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    await scene.let_in(join)
    await phone.joined()
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


@scripted("K1", "K2")
async def removal_without_110(scene: ScriptedScene) -> None:
    """Openfire and older rooms say it without the code; both devices are told, with it."""
    phone, laptop = await scene.phone(), await scene.laptop()
    phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    await scene.let_in(join)
    await phone.joined()
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


@scripted("K3")
async def service_shuts_down(scene: ScriptedScene) -> None:
    """A shutdown is told in the form that clients understand, and the next join goes up."""
    phone = await scene.phone()
    phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    await scene.let_in(join)
    await phone.joined()
    await scene.emit(scene.presence(f"{scene.room}/me", join.get("from"), codes=("110", "332"), type="unavailable"))
    gone = await phone.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    check({"110", "333", "307"} <= xml.codes(gone), xml.text(gone))
    phone.send_join(scene.room, "me")
    await scene.let_in(await scene.got(JOIN))
    await phone.joined()


@scripted("K9", "I2", "K3")
async def a_room_that_forgot_us(scene: ScriptedScene) -> None:
    """It answers a message with an error only; one self-ping decides, and the device hears that it is out."""
    phone = await scene.phone()
    phone.send_join(scene.room, "me")
    await scene.let_in(await scene.got(JOIN))
    await phone.joined()
    id = phone.send_message("anybody?")
    said = await scene.got(xml.message(body="anybody?"))
    refusal = "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    head = f"xmlns='jabber:client' type='error' to='{said.get('from')}'"
    await scene.emit(f"<message {head} id='{said.get('id')}' from='{scene.room}'>{refusal}</message>")
    await phone.expect(xml.message(id=id, type="error"))
    ping = await scene.got(xml.Match(lambda stanza: stanza.find("{urn:xmpp:ping}ping") is not None, "a self-ping"))
    await scene.emit(f"<iq {head} id='{ping.get('id')}' from='{ping.get('to')}'>{refusal}</iq>")
    gone = await phone.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    check({"110", "333", "307"} <= xml.codes(gone), xml.text(gone))


@scripted("L3", "H10")
async def late_traffic_of_an_earlier_stay(scene: ScriptedScene) -> None:
    """The room answers the leave only after the next join: its unavailable is not about the new stay."""
    phone = await scene.phone()
    phone.send_join(scene.room, "me")
    first = await scene.got(JOIN)
    await scene.let_in(first)
    await phone.joined()
    await phone.leave()
    await scene.got(LEAVE)
    phone.send_join(scene.room, "me")
    second = await scene.got(JOIN)
    await scene.emit(scene.presence(f"{scene.room}/me", first.get("from"), codes=("110",), type="unavailable"))
    await scene.let_in(second)
    came = await phone.joined()
    check(not any(stanza.get("type") == "unavailable" for stanza in came), "the old leave is not shown")
    phone.send_message("in")
    await scene.got(xml.message(body="in"))
