"""Messages: XEP-0045 §7.4, §7.5, §8.1."""

from client import xml
from harness.scene import ComparedScene
from harness.story import check, compared
from stories.invitations import send_invitation

CHAT_STATE = "<active xmlns='http://jabber.org/protocol/chatstates'/>"


@compared("M1", "M2", "M14")
async def plain_groupchat(scene: ComparedScene) -> None:
    """Both directions, with an extension that nobody knows, and a chat state, which has no body."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.say("hello", extra="<thing xmlns='urn:example:thing' a='1'>x<y/></thing>")
    await bob.say("hi", extra="<origin-id xmlns='urn:xmpp:sid:0' id='bob-origin'/>")
    await scene.me.expect(xml.message(body="hi"))
    scene.me.send(f"<message type='groupchat' id='{scene.me.new_id('state')}' to='{scene.room}'>{CHAT_STATE}</message>")
    await scene.me.drain(scene.room)


@compared("M1", "M14")
async def chat_state_without_archive(scene: ComparedScene) -> None:
    """A local room hands its own stanza object to each occupant, and in a room without archive that one is ours."""
    bob = await scene.owner()
    await bob.stop_archiving()
    await scene.guest("carol")
    await scene.me.join(scene.room, "me")
    id = bob.new_id("state")
    bob.send(f"<message type='groupchat' id='{id}' to='{scene.room}'>{CHAT_STATE}</message>")
    await scene.me.expect(xml.message(id=id))
    await scene.me.drain(scene.room)


@compared("M12", "H5", "H6")
async def subject(scene: ComparedScene) -> None:
    """Set by another, cleared by another, set by us."""
    bob = await scene.owner()
    await bob.configure(changesubject="1")
    await scene.me.join(scene.room, "me")
    await bob.set_subject("ours")
    await scene.me.expect(xml.subject("ours"))
    await bob.set_subject("")
    await scene.me.expect(xml.subject(""))
    await scene.me.set_subject("mine")
    await scene.me.drain(scene.room)


@compared("M4", "M1")
async def muted(scene: ComparedScene) -> None:
    """A visitor of a moderated room is refused, and hears which message it was; one without id too."""
    bob = await scene.owner()
    await bob.configure(moderatedroom="1")
    await scene.me.join(scene.room, "me")
    await bob.command("<item nick='me' role='visitor'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    id = scene.me.send_message("may I")
    await scene.me.expect(xml.message(id=id, type="error"))
    scene.me.send(f"<message type='groupchat' to='{scene.room}'><body>nameless</body></message>")
    await scene.me.expect(xml.message(type="error"))
    await scene.me.drain(scene.room)


@compared("M3", "P2")
async def not_joined(scene: ComparedScene) -> None:
    """Who is not in may not speak, neither to all nor to one."""
    await scene.owner()
    scene.me.room = scene.room
    id = scene.me.send_message("hello")
    await scene.me.expect(xml.message(id=id, type="error"))
    id = scene.me.send_message("psst", to=f"{scene.room}/bob")
    await scene.me.expect(xml.message(id=id, type="error"))
    await scene.me.drain(scene.room)


@compared("P1", "P3", "P7")
async def private_messages(scene: ComparedScene) -> None:
    """Both directions, and to somebody who is not there."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    scene.me.send_message("psst", to=f"{scene.room}/bob")
    got = await bob.expect(xml.message(body="psst"))
    check(got.get("from") == scene.me.occupant_jid, "it comes from the occupant")
    bob.send_message("what?", to=scene.me.occupant_jid)
    await scene.me.expect(xml.message(body="what?"))
    id = scene.me.send_message("anybody", to=f"{scene.room}/nobody")
    await scene.me.expect(xml.message(id=id, type="error"))
    await scene.me.drain(scene.room)


@compared("M15")
async def groupchat_to_one(scene: ComparedScene) -> None:
    await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.new_id("message")
    scene.me.send(f"<message type='groupchat' id='{id}' to='{scene.room}/bob'><body>x</body></message>")
    await scene.me.expect(xml.message(id=id, type="error"))
    await scene.me.drain(scene.room)


@compared("M9")
async def room_reconfigured(scene: ComparedScene) -> None:
    """Notices of the room itself, and of somebody whose affiliation changes."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.configure(roomname="Kitchen", whois="anyone")
    await bob.affiliate("somebody@else.where", "member")
    await scene.me.drain(scene.room)


@compared("M11", "I6")
async def voice(scene: ComparedScene) -> None:
    """A visitor asks for voice and gets it; later, as a moderator, it is asked, and gives it."""
    bob = await scene.owner()
    await bob.configure(moderatedroom="1")
    carol = await scene.guest("carol")
    await scene.me.join(scene.room, "me")
    await bob.command("<item nick='me' role='visitor'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    scene.me.send(voice_request(scene.room))
    await bob.expect(IS_FORM)
    await bob.command("<item nick='me' role='moderator'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    await bob.command("<item nick='carol' role='visitor'/>")
    await carol.expect(xml.presence(sender=carol.occupant_jid))
    carol.send(voice_request(scene.room))
    await scene.me.expect(IS_FORM)
    await scene.me.command("<item nick='carol' role='participant'/>")
    await carol.expect(xml.presence(sender=carol.occupant_jid))
    await scene.me.drain(scene.room)


IS_FORM = xml.Match(lambda stanza: stanza.find(f"{{{xml.DATA}}}x") is not None, "a form")


def voice_request(room: str) -> str:
    form = xml.form("http://jabber.org/protocol/muc#request", {"muc#role": ["participant"]})
    return f"<message to='{room}'>{form}</message>"


@compared("M10", "B1")
async def invited_and_told(scene: ComparedScene) -> None:
    """What a room sends to an account that is not in: an invitation, and the notice of an affiliation."""
    bob = await scene.owner()
    send_invitation(bob, scene.me.account)
    await scene.me.expect(xml.Match(lambda stanza: xml.kind(stanza) == "message", "an invitation"))
    await bob.affiliate(scene.me.account, "member")
    await scene.settle(bob, scene.me)


@compared("M1", "M14")
async def unusual_text(scene: ComparedScene) -> None:
    """Entities, emoji, several languages, white space, markup and a big message arrive as they were."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    html = "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
    html += "<p>a <b>b</b> c</p></body></html>"
    await bob.say("<&>\"' \u2028 👩‍👩‍👧 \t x", extra=html + "<body xml:lang='de'>zwei</body>")
    await scene.me.expect(xml.message(sender=f"{scene.room}/bob"))
    await bob.say("long " * 4000)
    await scene.me.expect(xml.message(sender=f"{scene.room}/bob"))
    await scene.me.say("mine <&> 👩‍👩‍👧")
    await scene.me.drain(scene.room)
