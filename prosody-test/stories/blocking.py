"""Blocking an occupant, a room and a service: XEP-0191, and no error that would throw the account out."""

from client import xml
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.lab import BOUNCING
from stories.devices import UNAVAILABLE, two_devices
from stories.invitations import send_invitation


async def block(device: Person, jid: str, command: str = "block") -> None:
    """Changes the block list, and waits until all is done that follows from it."""
    payload = f"<{command} xmlns='urn:xmpp:blocking'><item jid={xml.quoteattr(jid)}/></{command}>"
    answer = await device.query("set", device.account, payload)
    check(answer.get("type") == "result", f"blocked: {xml.text(answer)}")
    await device.synchronise()


async def unblock(device: Person, jid: str) -> None:
    await block(device, jid, "unblock")


async def blocked_occupant(scene: JudgedScene) -> None:
    room = scene.room
    phone, laptop = await two_devices(scene)
    eve = await scene.guest("eve")
    await scene.settle(phone, laptop)
    await block(phone, eve.occupant_jid)
    await eve.say("boo")
    eve.send_message("psst", to=f"{scene.room}/me")
    await eve.update("<show>away</show>")
    await eve.leave()
    came = await eve.drain(scene.room)
    check(not [stanza for stanza in came if stanza.get("type") == "error"], "nothing bounces")
    check(not await scene.judge_saw(), "the account is not thrown out")
    tablet = await scene.device("me", "tablet")
    shown = await tablet.join(scene.room, "me")
    for device, stanzas in ((phone, await phone.drain(room)), (laptop, await laptop.drain(room)), (tablet, shown)):
        check(not [s for s in stanzas if s.get("from") == eve.occupant_jid], f"{device.jid} sees nothing of them")
    await unblock(phone, eve.occupant_jid)
    gone = xml.presence(sender=eve.occupant_jid, type="unavailable")
    for device in (phone, laptop, tablet):
        await device.expect(gone)
    scene.check_one_occupant("me")


@judged("F17", "R2", "M7", "P4")
async def f17_blocked_occupant(scene: JudgedScene) -> None:
    """Nothing of theirs is shown, and all are told how things stand when the block ends."""
    await blocked_occupant(scene)


@judged("F17", "R2", "M7", host=BOUNCING)
async def f17_blocked_occupant_bounces(scene: JudgedScene) -> None:
    """With `bounce_blocked_messages` Prosody would answer with an error."""
    await blocked_occupant(scene)


async def return_while_blocked(scene: JudgedScene) -> None:
    phone, laptop = await two_devices(scene)
    eve = await scene.guest("eve")
    await block(laptop, eve.occupant_jid)
    await eve.change_nick("evelyn")
    await eve.change_nick("eve")
    await eve.leave()
    await eve.join(scene.room, "eve")
    await scene.settle(eve, phone, laptop)
    await unblock(laptop, eve.occupant_jid)
    for device in (phone, laptop):
        await device.expect(xml.presence(sender=eve.occupant_jid))
    await eve.say("hello again")
    for device in (phone, laptop):
        await device.expect(xml.message(body="hello again"))
    await scene.saw_nothing("me", phone, laptop)


@judged("F17", "R2")
async def f17_blocked_occupant_returns(scene: JudgedScene) -> None:
    """They change their nick, go and come again meanwhile; in the end they are there."""
    await return_while_blocked(scene)


@judged("F17", "R2", host=BOUNCING)
async def f17_blocked_occupant_returns_bounces(scene: JudgedScene) -> None:
    await return_while_blocked(scene)


async def blocked_room(scene: JudgedScene, blocked: str) -> None:
    phone, laptop = await two_devices(scene)
    await block(phone, blocked)
    for device in (phone, laptop):
        gone = await device.expect(UNAVAILABLE)
        check({"333", "307"} <= xml.codes(gone), f"told in the form that clients understand: {xml.text(gone)}")
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await scene.judge.say("anybody?")
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    await scene.arrived()
    await scene.judge_saw()
    scene.check_no_occupant()
    for device in (phone, laptop):
        came = [stanza for stanza in await device.drain() if scene.room in stanza.get("from", "")]
        check(not came, f"{device.jid} gets nothing of the room")
    await unblock(phone, blocked)
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)


@judged("F17", "R2", "M7")
async def f17_blocked_room(scene: JudgedScene) -> None:
    """The account leaves, and its sessions are told."""
    await blocked_room(scene, scene.room)


@judged("F17", "R2", "M7", host=BOUNCING)
async def f17_blocked_room_bounces(scene: JudgedScene) -> None:
    await blocked_room(scene, scene.room)


@judged("F17", "R2", "M7", host=BOUNCING)
async def f17_blocked_service(scene: JudgedScene) -> None:
    """The same by the address of the service."""
    await blocked_room(scene, scene.service)


@judged("M7", "R2", host=BOUNCING)
async def invited_by_somebody_blocked(scene: JudgedScene) -> None:
    """Prosody bounces an invitation by somebody blocked, though it comes from the room, which throws out for it."""
    phone, laptop = await two_devices(scene)
    eve = await scene.guest("eve")
    await block(phone, eve.occupant_jid)
    await scene.settle(phone, laptop)
    send_invitation(eve, scene.me)
    await scene.settle(eve, scene.judge)
    await scene.arrived()
    await scene.saw_nothing("me", phone, laptop)
    await phone.say("still here")
