"""What is no room must stay as it is: contacts, own other devices, transports."""

from client import xml
from harness.scene import ComparedScene
from harness.story import compared

HERE = ("local",)  # no room is in these stories


@compared("R1", kinds=HERE)
async def contacts(scene: ComparedScene) -> None:
    """Directed presence, its end, messages and queries between an account and a contact elsewhere."""
    bob = await scene.person("bob")
    scene.recorded.append(bob)
    me = scene.me
    me.send(f"<presence to='{bob.jid}'><show>away</show></presence>")
    await bob.expect(xml.presence(sender=me.jid))
    me.send_message("one", to=bob.account)
    await bob.expect(xml.message(body="one"))
    bob.send_message("two", to=me.account)
    await me.expect(xml.message(body="two"))
    bob.send_message("three", to=me.jid)
    await me.expect(xml.message(body="three"))
    await me.ping(bob.account)
    await bob.ping(me.account)
    me.send(f"<presence type='unavailable' to='{bob.jid}'/>")
    await bob.expect(xml.presence(sender=me.jid, type="unavailable"))
    await bob.ping(me.account)
    await me.drain()


@compared("R1", kinds=HERE)
async def own_devices(scene: ComparedScene) -> None:
    """Presence, messages and carbons among the devices of one account."""
    other = await scene.device("me", "tablet")
    scene.recorded.append(other)
    other.send(f"<iq type='set' id='{other.new_id('carbons')}'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    bob = await scene.person("bob")
    await other.drain()
    scene.me.send_message("out", to=bob.account)
    await bob.expect(xml.message(body="out"))
    bob.send_message("in", to=scene.me.jid)
    await scene.me.expect(xml.message(body="in"))
    scene.me.send("<presence><show>xa</show></presence>")
    scene.me.send(f"<presence to='{other.jid}'><show>dnd</show></presence>")
    scene.me.send(f"<presence type='unavailable' to='{other.jid}'/>")
    scene.me.send("<presence type='unavailable'/>")
    await scene.me.drain()
    await other.drain()


@compared("R1", kinds=HERE)
async def stray_groupchat(scene: ComparedScene) -> None:
    """A groupchat message and an occupant's presence from a room that the account is not in."""
    bob = await scene.person("bob")
    scene.recorded.append(bob)
    bob.send(
        f"<message type='groupchat' id='{bob.new_id('stray')}' to='{scene.me.account}'><body>stray</body></message>"
    )
    await bob.expect(xml.message(type="error"))
    bob.send(f"<presence to='{scene.me.account}'><x xmlns='{xml.MUC_USER}'/></presence>")
    await bob.drain()
    await bob.ping(scene.me.account)
    await scene.me.drain()
