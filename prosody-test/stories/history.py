"""More history than the account's copy has, and less than it had: XEP-0045 §7.2.14, XEP-0191, XEP-0424."""

from client import xml
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged
from stories.blocking import block
from stories.devices import one_device, two_devices

KEPT = 50  # minimix_history
MOMENT = "2001-01-01T00:00:00"


def bodies(stanzas: list) -> list[str]:
    said = [stanza.findtext(xml.CLIENT + "body") for stanza in stanzas if xml.message()(stanza)]
    return [body for body in said if body is not None]


@compared("F32", "H3", "H4", "H13", ignored_codes={"100"})
async def f32_more_than_the_copy_has(scene: ComparedScene) -> None:
    """The account's copy has let the oldest messages go. The room keeps them."""
    bob = await scene.owner()
    if not scene.is_ejabberd:
        await bob.configure(historylength="200")
    await bob.say("before")
    await scene.me.join(scene.room, "me")
    for number in range(KEPT + 10):
        await bob.say(f"line {number}")
    await scene.me.drain(scene.room)
    all_of_it = KEPT + 11
    for asked, count in (
        ("maxstanzas='100'", all_of_it),
        (f"since='{MOMENT}'", all_of_it),
        (f"since='{MOMENT}.123456+01:00'", all_of_it),
        ("since='20010101T00:00:00'", all_of_it),
        (f"maxstanzas='55' since='{MOMENT}Z'", 55),
        ("maxstanzas='many'", 20),
        ("", 20),
        ("maxstanzas='0'", 0),
    ):
        if scene.is_ejabberd and count > 20:
            continue  # its rooms keep no more, and their owners can't say
        came = await scene.me.join(scene.room, "me", f"<history {asked}/>")
        check(len(bodies(came)) == count, f"{asked} gives {len(bodies(came))}")
        await scene.me.drain(scene.room)


@compared("F32", "H13")
async def f32_more_at_once(scene: ComparedScene) -> None:
    """The account's own join asks for as much as its session does."""
    bob = await scene.owner()
    if not scene.is_ejabberd:
        await bob.configure(historylength="200")
    for number in range(KEPT + 10):
        await bob.say(f"line {number}")
    await scene.me.join(scene.room, "me", "<history maxstanzas='100'/>")
    await scene.me.drain(scene.room)


@compared("F37", "R2", ignored_codes={"100"})
async def f37_said_before_the_block(scene: ComparedScene) -> None:
    """Somebody has spoken, and is then blocked. The session asks to see the room again."""
    bob, eve = await scene.owner(), await scene.guest("eve")
    await scene.me.join(scene.room, "me")
    await eve.say("boo")
    await bob.say("hello")
    await scene.settle(scene.me, eve)
    await block(scene.me, eve.occupant_jid)
    came = await scene.me.join(scene.room, "me")
    check(not [stanza for stanza in came if stanza.get("from") == eve.occupant_jid], "nothing of them is shown")
    check("hello" in bodies(came), "of others is")
    await scene.me.drain(scene.room)


@judged("F38", "H9", "H10")
async def f38_taken_back(scene: JudgedScene) -> None:
    """A word is taken back; then a resync brings it again, with what took it back."""
    phone = await one_device(scene)
    await scene.judge.say("oops", extra="<origin-id xmlns='urn:xmpp:sid:0' id='oops'/>")
    scene.judge.send(
        f"<message type='groupchat' id='{scene.judge.new_id('retraction')}' to='{scene.room}'>"
        "<retract xmlns='urn:xmpp:message-retract:1' id='oops'/><store xmlns='urn:xmpp:hints'/></message>"
    )
    await scene.judge.say("hello")
    await scene.judge.configure(whois="anyone")
    await phone.drain(scene.room)
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me")
    check(bodies(came)[-1] == "hello" and "oops" not in bodies(came), f"the later device sees {bodies(came)}")
    again = [stanza for stanza in await phone.drain(scene.room) if stanza.tag == xml.CLIENT + "message"]
    check(not again, f"the first device is shown nothing again: {[xml.text(stanza) for stanza in again]}")


@judged("F38", "H10")
async def f38_kept_no_more(scene: JudgedScene) -> None:
    """What the copy has let go comes again for the device that asks for it, and only for that one."""
    if not scene.is_ejabberd:
        await scene.judge.configure(historylength="200")
    phone, laptop = await two_devices(scene)
    for number in range(KEPT + 10):
        await scene.judge.say(f"line {number}")
    for device in (phone, laptop):
        await device.drain(scene.room)
    await laptop.leave()
    came = await laptop.join(scene.room, "me", f"<history since='{MOMENT}Z'/>")
    said = bodies(came)
    lines = [f"line {number}" for number in range(KEPT + 10)]
    check(said == (lines[-len(said) :] if scene.is_ejabberd else lines), f"once each, in order: {said}")
    check(not bodies(await phone.drain(scene.room)), "the other device sees nothing again")
