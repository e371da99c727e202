"""Joining: XEP-0045 §7.2."""

from client import xml
from harness.scene import ComparedScene
from harness.story import check, compared


@compared("J1", "J3", "J4", "J5", "J6", "H1", "H2", "H6", "H13")
async def late_join(scene: ComparedScene) -> None:
    """A room in which others are, which has a history and a subject."""
    bob = await scene.owner()
    await scene.guest("carol")
    await scene.guest("dave")
    await bob.set_subject("tea at five")
    for number in range(1, 25):
        await bob.say(f"old {number}")
    came = await scene.me.join(scene.room, "me")
    check(xml.message(body="old 24")(came[-2]), "the newest message stands last before the subject")
    await scene.me.drain(scene.room)


@compared("J1", "J9", "H6")
async def first_join_creates(scene: ComparedScene) -> None:
    """A room that does not exist yet."""
    came = await scene.me.join(scene.room, "me")
    check("201" in xml.codes(came[-2]), "the first one hears that the room is new")
    await scene.me.drain(scene.room)


@compared("M1", "M2", "H5")
async def plain_groupchat(scene: ComparedScene) -> None:
    """Both directions, with an extension that nobody knows, and a chat state, which has no body."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.say("hello", extra="<thing xmlns='urn:example:thing' a='1'>x<y/></thing>")
    await bob.say("hi")
    await scene.me.expect(xml.message(body="hi"))
    scene.me.send(f"<message type='groupchat' id='{scene.me.new_id("state")}' to='{scene.room}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>")
    await scene.me.drain(scene.room)
