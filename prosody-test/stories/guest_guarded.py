"""Rooms that are guarded by modules of others: they see the account where they would see a session."""

from client import xml
from harness.scene import ComparedScene
from harness.story import compared
from lab.guests import BLOCK_LIST

KINDS = ("guarded",)
MODERATE = "urn:xmpp:message-moderate:1"
RETRACT = "urn:xmpp:message-retract:1"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


@compared("M4", "J16", kinds=KINDS)
async def guest_limits(scene: ComparedScene) -> None:
    """mod_muc_limits: a message of too many lines, a nick that is too long, and then too much at once."""
    await scene.owner()
    await scene.me.refused(scene.room, "n" * 50)
    await scene.me.join(scene.room, "me")
    id = scene.me.send_message("line\n" * 9)
    await scene.me.expect(xml.message(id=id, type="error"))
    ids = [scene.me.send_message(f"number {number}") for number in range(20)]
    await scene.me.expect(xml.message(id=ids[-1], type="error"))
    await scene.me.drain(scene.room)


@compared("H9", "M1", "I6", kinds=KINDS)
async def guest_moderation(scene: ComparedScene) -> None:
    """mod_muc_moderation: a moderator takes back what we said, and, as a moderator, we what others said."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.say("mine")
    said = await bob.expect(xml.message(body="mine"))
    await bob.query("set", scene.room, moderation(said))
    await scene.settle(bob, scene.me)
    await bob.command("<item nick='me' role='moderator'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    bob.send_message("bob's")
    said = await scene.me.expect(xml.message(body="bob's"))
    await scene.me.query("set", scene.room, moderation(said))
    await scene.settle(bob, scene.me)
    await scene.me.say("still here")


def moderation(said: xml.Element) -> str:
    id = said.find(STANZA_ID).get("id")
    return f"<moderate xmlns='{MODERATE}' id='{id}'><retract xmlns='{RETRACT}'/><reason>spam</reason></moderate>"


@compared("M4", "J16", kinds=KINDS)
async def guest_block_list(scene: ComparedScene) -> None:
    """mod_muc_rtbl: who gets onto the list may not speak any more, and not come back."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.say("hello")
    bob.send(f"<message to='{BLOCK_LIST}'><ban xmlns='urn:lab:rtbl' account='{scene.me.account}'/></message>")
    await bob.drain(BLOCK_LIST)
    id = scene.me.send_message("and now?")
    await scene.me.expect(xml.message(id=id, type="error"))
    await bob.say("hello")
    await scene.me.expect(xml.message(body="hello"))
    await scene.me.leave()
    await bob.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await scene.me.refused(scene.room, "me")
    await scene.me.drain(scene.room)
