"""Pictures: the server puts the account's hash into presence, and a room sends presence from its bare JID."""

from client import xml
from harness.scene import ComparedScene
from harness.story import check, compared

PHOTO = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>"
OTHER_PHOTO = PHOTO.replace("Ggo=", "GgoA")
HASH = ".//{vcard-temp:x:update}photo"


@compared("N10", "J20")
async def own_picture(scene: ComparedScene) -> None:
    """The hash is in the self-presence, of the join and of an update."""
    await scene.owner()
    await scene.me.query("set", scene.me.account, PHOTO)
    came = await scene.me.join(scene.room, "me")
    check(xml.self_presence(came).findtext(HASH), "the server put the hash in")
    await scene.me.update("<show>away</show>")
    await scene.me.drain(scene.room)


@compared("J21", "M9")
async def picture_of_the_room(scene: ComparedScene) -> None:
    """The room has one at the join, and gets another one later."""
    bob = await scene.owner()
    await bob.query("set", scene.room, PHOTO)
    await scene.me.join(scene.room, "me")
    await bob.query("set", scene.room, OTHER_PHOTO)
    await bob.drain(scene.room)
    await scene.me.drain(scene.room)
