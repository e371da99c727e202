"""What a presence claims, and what the room makes of it: XEP-0045 §7.7, XEP-0317, XEP-0421 §4."""

from client import xml
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged

OCCUPANT_ID = "urn:xmpp:occupant-id:0"
FORGED = f"<occupant-id xmlns='{OCCUPANT_ID}' id='forged'/><hats xmlns='urn:xmpp:hats:0'><hat uri='urn:king' title='King'/></hats>"
BADGE = "<badge xmlns='urn:example:badge' colour='red'/>"
REGISTER = "jabber:iq:register"


@compared("F41", "X2", "N7", "L1")
async def f41_forged_claims(scene: ComparedScene) -> None:
    """An occupant-id and hats of one's own, in a join, an update and a leave, beside what the room lets pass."""
    await scene.owner()
    await scene.me.join(scene.room, "me", beside=f"{FORGED}<show>away</show>{BADGE}")
    await scene.me.update(f"{BADGE}<status>here</status>{FORGED}")
    await scene.me.update("<show>dnd</show>")
    id = scene.me.new_id("leave")
    claims = "" if scene.is_ejabberd else FORGED  # it knows no occupant-ids, and passes on what it does not know
    scene.me.send(f"<presence type='unavailable' id='{id}' to='{scene.me.occupant_jid}'>{claims}<status>bye</status></presence>")
    await scene.me.expect(xml.presence(type="unavailable", status={"110"}))
    await scene.me.drain(scene.room)


@judged("F41", "X2", "N7")
async def f41_forged_by_the_second_device(scene: JudgedScene) -> None:
    """A device that the room never heard claims in vain as well, also once the room hears it."""
    if scene.is_ejabberd:
        return  # it knows no occupant-ids
    phone, laptop = await scene.phone(), await scene.laptop()
    first = xml.self_presence(await phone.join(scene.room, "me", beside="<show>chat</show>"))
    real = first.find(f"{{{OCCUPANT_ID}}}occupant-id").get("id")
    seen = [xml.self_presence(await laptop.join(scene.room, "me", beside=f"<show>away</show>{FORGED}"))]
    seen.append(await laptop.update(f"<show>chat</show>{FORGED}"))
    await phone.leave()
    seen.append(await laptop.update(f"<status>alone</status>{FORGED}"))
    for presence in seen:
        ids = [element.get("id") for element in presence.iter(f"{{{OCCUPANT_ID}}}occupant-id")]
        check(ids == [real], f"the room's id, and no other: {xml.text(presence)}")
        check(presence.find("{urn:xmpp:hats:0}hats") is None, f"no hats: {xml.text(presence)}")


@compared("F42", "J24", "N7")
async def f42_registration(scene: ComparedScene) -> None:
    """The room shows the account of its own accord once its nick is registered."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.affiliate(scene.me.account, "member")
    await scene.settle(scene.me, bob)
    form = xml.form("http://jabber.org/protocol/muc#register", {"muc#register_roomnick": ["me"]})
    await scene.me.query("set", scene.room, f"<query xmlns='{REGISTER}'>{form}</query>")
    await scene.me.drain(scene.room)


@compared("F42", "J11")
async def f42_probes(scene: ComparedScene) -> None:
    """Of our own nick, before and after an update, of somebody else's and of nobody's."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    for nick in ("me", "bob", "nobody"):
        probe = f"<presence type='probe' id='{scene.me.new_id('probe')}' to='{scene.room}/{nick}'/>"
        scene.me.send(probe)
        await scene.me.drain(scene.room)
    await scene.me.update("<show>away</show>")
    await scene.me.say("and after an update")
    scene.me.send(f"<presence type='probe' id='{scene.me.new_id('probe')}' to='{scene.me.occupant_jid}'/>")
    await scene.me.drain(scene.room)
