"""Several devices of one account, watched by somebody on another host."""

from client import xml
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged

UNAVAILABLE = xml.presence(type="unavailable", status={"110"})


async def one_device(scene: JudgedScene, managed: bool = False) -> Person:
    phone = await scene.phone(managed)
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    return phone


async def two_devices(scene: JudgedScene, managed: bool = False) -> tuple[Person, Person]:
    """The first one has stream management if `managed`."""
    phone, laptop = await scene.phone(managed), await scene.laptop()
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
    own = xml.self_presence(came)
    check(own.get("id") == id, "its own id")
    check(xml.item(own).get("jid") in (None, laptop.jid), "its own full JID")
    await scene.saw_nothing("me", phone, laptop)
    await phone.say("from the phone")
    await laptop.expect(xml.message(body="from the phone"))
    await scene.judge.say("from the judge")
    for device in (phone, laptop):
        came = await device.drain(scene.room)
        bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in came]
        check(bodies.count("from the judge") == 1 and len(bodies) == 1, f"{device.jid} got {bodies}")


@judged("L4", "L2")
async def quit_like_profanity(scene: JudgedScene) -> None:
    """A directed unavailable and the stream's end in one write: the session ends, the account stays."""
    phone, laptop = await two_devices(scene)
    await laptop.leave()
    await phone.close(phone.leave_stanza("quit"))
    await scene.judge.say("after the quit")
    await scene.saw_nothing("me", laptop)
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
    phone = await one_device(scene)
    phone.send("<presence type='unavailable'/>")
    await phone.query("get", scene.room, xml.DISCO_INFO)  # a leave that waits goes before it
    await scene.settle(scene.judge)
    check(not any(stanza.get("type") == "unavailable" for stanza in await scene.judge_saw()), "no leave is seen")
    scene.check_one_occupant("me")


@judged("L4", "J1", "H1")
async def disconnect_and_return(scene: JudgedScene) -> None:
    """The only device loses its connection and comes back as a new session."""
    phone = await one_device(scene)
    await phone.drop()
    await scene.judge.say("while you were away")
    await scene.arrived()
    again = await scene.device("me", "tablet")
    came = await again.join(scene.room, "me")
    missed = [stanza for stanza in came if xml.message(body="while you were away")(stanza)]
    check(len(missed) == 1 and missed[0].find(xml.DELAY) is not None, "what it missed comes once, as history")
    await scene.saw_nothing("me", again)


@judged("L5", "M13")
async def resume_beside_another(scene: JudgedScene) -> None:
    """One device is away and resumes; each gets all, once and in order."""
    phone, laptop = await two_devices(scene, managed=True)
    await phone.drop()
    bodies = [f"number {number}" for number in range(5)]
    for body in bodies:
        await scene.judge.say(body)
    await phone.resume()
    for device in (phone, laptop):
        came = [stanza.findtext(xml.CLIENT + "body") for stanza in await device.drain(scene.room)]
        check(came == bodies, f"{device.jid} got {came}")
    check(not await scene.judge_saw(phone, laptop), "the judge sees nothing of it")


@judged("R6")
async def a_clients_errors_are_absorbed(scene: JudgedScene) -> None:
    """poezio answers its own nick change with a presence error, for which a room throws out."""
    phone, laptop = await two_devices(scene)
    error = xml.error("cancel", "undefined-condition")
    phone.send(f"<presence type='error' to='{scene.room}/me'>{error}</presence>")
    phone.send(f"<message type='error' to='{scene.room}'>{error}</message>")
    phone.send(f"<message type='error' to='{scene.room}/judge'>{error}</message>")
    await scene.saw_nothing("me", phone, laptop)
    await laptop.say("still here")


@judged("A5")
async def forged_stanza_id(scene: JudgedScene) -> None:
    """An id in the name of the account, which only the account's own server may give, does not get through."""
    phone, _ = await two_devices(scene)
    await scene.judge.say("forged", extra=f"<stanza-id xmlns='urn:xmpp:sid:0' by='{scene.me}' id='evil'/>")
    got = await phone.expect(xml.message(body="forged"))
    by = [id.get("by") for id in got.iterfind("{urn:xmpp:sid:0}stanza-id")]
    check(scene.me not in by, f"ids by {by}")


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
    await scene.sees_one("me", browser, laptop)
