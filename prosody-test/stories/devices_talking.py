"""What several devices of one account say, ask and change: the one who asked gets the answer."""

from client import xml
from harness.scene import JudgedScene
from harness.story import check, judged
from stories.devices import two_devices


@judged("N2", "N3", "N1")
async def nick_change_reaches_both(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    await phone.change_nick("i")
    await laptop.expect(xml.presence(type="unavailable", status={"303", "110"}))
    await laptop.expect(xml.presence(sender=f"{scene.room}/i", status={"110"}))
    laptop.nick = "i"
    check((await laptop.ping(laptop.occupant_jid)).get("type") == "result", "the other one is in under the new nick")
    await scene.judge_saw(phone, laptop)
    scene.check_one_occupant("i")


@judged("N4")
async def nick_conflict_reaches_one(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    id = phone.send_presence("", "judge")
    await phone.expect(xml.presence_error(id))
    check(not await laptop.drain(scene.room), "the other one sees nothing")


@judged("N7")
async def best_presence_is_shown(scene: JudgedScene) -> None:
    """One is away, the other available: the account is available until both are away."""
    phone, laptop = await two_devices(scene)
    await phone.update("<show>away</show>")
    check(not [s for s in await scene.judge_saw(phone) if s.findtext(xml.CLIENT + "show")], "still available")
    check(not await laptop.drain(scene.room), "the other device is shown nothing")
    await laptop.update("<show>away</show>")
    await scene.judge.expect(
        xml.Match(lambda stanza: stanza.findtext(xml.CLIENT + "show") == "away", "the account is away")
    )


@judged("I1", "I2", "I5")
async def queries_of_both_with_one_id(scene: JudgedScene) -> None:
    """Two devices use the same id for different questions, and each gets its own answer."""
    phone, laptop = await two_devices(scene)
    for device in (phone, laptop):
        device.send(
            f"<iq type='get' id='same' to='{scene.room}/judge'>"
            f"<query xmlns='urn:example:ask'>{device.jid.rpartition('/')[2]}</query></iq>"
        )
    is_query = xml.Match(lambda stanza: stanza.find("{urn:example:ask}query") is not None, "a query")
    for _ in range(2):
        asked = await scene.judge.expect(is_query)
        words = asked.findtext("{urn:example:ask}query")
        scene.judge.send(
            f"<iq type='result' id='{asked.get('id')}' to='{asked.get('from')}'>"
            f"<query xmlns='urn:example:ask'>for {words}</query></iq>"
        )
    for device in (phone, laptop):
        answer = await device.expect(xml.answer("same"))
        wanted = f"for {device.jid.rpartition('/')[2]}"
        check(answer.findtext("{urn:example:ask}query") == wanted, f"{device.jid} got {xml.text(answer)}")


@judged("I2")
async def self_ping_of_both(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    await phone.leave()
    check((await laptop.ping(f"{scene.room}/me")).get("type") == "result", "the one that stayed is in")
    answer = await phone.ping(f"{scene.room}/me")
    check(xml.condition(answer) == "not-acceptable", f"the one that left is out: {xml.text(answer)}")


@judged("P3", "M6")
async def private_message_reaches_both(scene: JudgedScene) -> None:
    """Once each, and not a third device that is not in the room."""
    phone, laptop = await two_devices(scene)
    outside = await scene.device("me", "tablet")
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    for device in (phone, laptop):
        came = [stanza for stanza in await device.drain(scene.room) if xml.kind(stanza) == "message"]
        check(len(came) == 1 and came[0].get("to") == device.jid, f"{device.jid} got {len(came)}")
    check(not await outside.drain(scene.room), "who is not in the room gets nothing")


@judged("P4", "M7")
async def private_message_without_device(scene: JudgedScene) -> None:
    """With no device attached it is kept, nothing bounces, and the account stays in the room."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    await phone.close()
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.settle(scene.judge)
    check(not await scene.judge_saw(), "the account is not thrown out")
    scene.check_one_occupant("me")


@judged("M4", "M5")
async def errors_reach_who_sent(scene: JudgedScene) -> None:
    """A muted account: the device that spoke hears it, the other does not."""
    await scene.judge.configure(moderatedroom="1")
    phone, laptop = await two_devices(scene)
    await scene.judge.command("<item nick='me' role='visitor'/>")
    await scene.settle(scene.judge, phone, laptop)
    id = phone.send_message("may I")
    await phone.expect(xml.message(id=id, type="error"))
    check(not await laptop.drain(scene.room), "the other one hears nothing")


@judged("L7", "M3", "M4", "J17")
async def speak_and_leave_refused(scene: JudgedScene) -> None:
    """A members-only room: who spoke hears that nothing came of it, nobody else hears anything, a member may come."""
    await scene.judge.configure(membersonly="1")
    phone, laptop = await scene.phone(), await scene.laptop()
    phone.send_join(scene.room, "me")
    id = phone.send_message("never heard")
    phone.send_leave()
    refused = await phone.expect(xml.message(id=id, type="error"))
    check(xml.condition(refused) == "not-acceptable", xml.text(refused))
    await scene.judge.affiliate(scene.me, "member")
    await laptop.join(scene.room, "me")
    await laptop.say("heard")
    await scene.judge.expect(xml.message(body="heard"))
    scene.check_one_occupant("me")
    check(not any(xml.message(body="never heard")(stanza) for stanza in scene.judge.received), "nothing was said")
    check(not await phone.drain(), "nothing for the one that left")


@judged("R6")
async def a_clients_errors_are_absorbed(scene: JudgedScene) -> None:
    """poezio answers its own nick change with a presence error, for which a room throws out."""
    phone, laptop = await two_devices(scene)
    error = "<error type='cancel'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    phone.send(f"<presence type='error' to='{scene.room}/me'>{error}</presence>")
    phone.send(f"<message type='error' to='{scene.room}'>{error}</message>")
    phone.send(f"<message type='error' to='{scene.room}/judge'>{error}</message>")
    check(not await scene.judge_saw(phone, laptop), "the judge sees nothing")
    scene.check_one_occupant("me")
    await laptop.say("still here")


@judged("M12")
async def subject_reaches_both(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    await scene.judge.set_subject("tea at five")
    for device in (phone, laptop):
        await device.expect(xml.subject("tea at five"))
    tablet = await scene.device("me", "tablet")
    came = await tablet.join(scene.room, "me")
    check(came[-1].findtext(xml.CLIENT + "subject") == "tea at five", "a later join ends with it")


@judged("A5")
async def forged_stanza_id(scene: JudgedScene) -> None:
    """An id in the name of the account, which only the account's own server may give, does not get through."""
    phone, _ = await two_devices(scene)
    await scene.judge.say("forged", extra=f"<stanza-id xmlns='urn:xmpp:sid:0' by='{scene.me}' id='evil'/>")
    got = await phone.expect(xml.message(body="forged"))
    by = [id.get("by") for id in got.iterfind("{urn:xmpp:sid:0}stanza-id")]
    check(scene.me not in by, f"ids by {by}")


@judged("B1", kinds=("local", "remote"))
async def mediated_invitation(scene: JudgedScene) -> None:
    """An invitation reaches every device of an account that is not in the room."""
    phone, laptop = await scene.phone(), await scene.laptop()
    scene.judge.send(f"<message to='{scene.room}'><x xmlns='{xml.MUC_USER}'><invite to='{scene.me}'/></x></message>")
    invitation = xml.Match(
        lambda stanza: stanza.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}invite") is not None, "an invitation"
    )
    await phone.expect(invitation)
    await laptop.expect(invitation)


@judged("J14")
async def presence_of_one_that_is_not_in(scene: JudgedScene) -> None:
    """A device that believes to be in is told that it is not, in the form that its kind understands."""
    phone = await scene.phone()
    laptop = await scene.laptop()
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    laptop.room, laptop.nick = scene.room, "me"
    laptop.send_presence("<show>away</show>")
    gone = await laptop.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    check({"110", "333", "307"} <= xml.codes(gone), f"not in: {xml.text(gone)}")
    check(not await scene.judge_saw(phone, laptop), "the judge sees nothing")
    scene.check_one_occupant("me")


@judged("N11", "L2")
async def device_of_negative_priority(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    phone.send("<presence><priority>-5</priority></presence>")
    await phone.drain(scene.room)
    await scene.judge.say("to both")
    for device in (phone, laptop):
        await device.expect(xml.message(body="to both"))


@judged("J16", "J7")
async def nick_of_somebody_else(scene: JudgedScene) -> None:
    """Somebody else with the wanted nick is a conflict for each device, and for both the same."""
    phone, laptop = await scene.phone(), await scene.laptop()
    check(await phone.refused(scene.room, "judge") == "conflict", "the judge has it")
    check(await laptop.refused(scene.room, "judge") == "conflict", "still")
    await phone.join(scene.room, "me")
    await laptop.join(scene.room, "judge")
    check(laptop.nick == "me", "the account has one nick already")
    await scene.judge_saw(phone, laptop)
    scene.check_one_occupant("me")


@judged("J1", "M2", "P3", "L1", "U3")
async def one_in_a_browser(scene: JudgedScene) -> None:
    """A WebSocket, through which the server writes every stanza in a way of its own, beside a plain connection."""
    browser, laptop = await scene.browser(), await scene.laptop()
    await browser.join(scene.room, "me")
    await laptop.join(scene.room, "me")
    await scene.judge_saw(browser, laptop)
    await browser.say("from the browser", extra="<thing xmlns='urn:example:thing'><a/>x</thing>")
    got = await laptop.expect(xml.message(body="from the browser"))
    check(got.find("{urn:example:thing}thing/{urn:example:thing}a") is not None, f"all of it: {xml.text(got)}")
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    for device in (laptop, browser):
        await device.expect(xml.message(body="psst"))
    await laptop.leave()
    await laptop.join(scene.room, "me")
    await browser.leave()
    await browser.join(scene.room, "me")
    await laptop.say("to the browser")
    await browser.expect(xml.message(body="to the browser"))
    check((await browser.ping(f"{scene.room}/me")).get("type") == "result", "in")
    await scene.judge_saw(browser, laptop)
    scene.check_one_occupant("me")
