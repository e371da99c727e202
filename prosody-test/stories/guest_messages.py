"""Messages of a room among modules that filter and watch: a device gets what it would without the joining."""

from client import xml
from harness.guest import compared_among
from harness.scene import ComparedScene
from stories.invitations import INVITATION, send_decline, send_invitation
from stories.talking import CHAT_STATE, IS_FORM, voice_request

WORDS = "the listed word"


@compared_among("F29", "M1", "M2", "M9", "M12")
async def guest_groupchat(scene: ComparedScene) -> None:
    """Others' messages, our own, a chat state, a subject, notices of the room, and what a filter looks for."""
    bob = await scene.owner()
    await bob.say("before", extra="<origin-id xmlns='urn:xmpp:sid:0' id='bob-origin'/>")
    await scene.me.join(scene.room, "me")
    await bob.say("hello")
    await scene.me.say("mine")
    bob.send(f"<message type='groupchat' id='{bob.new_id('state')}' to='{scene.room}'>{CHAT_STATE}</message>")
    await bob.say(WORDS)
    await bob.set_subject("a subject")
    await bob.configure(roomname="Kitchen", whois="anyone")
    await scene.settle(bob, scene.me)
    await scene.me.say("still here")


@compared_among("F29", "P1", "P3")
async def guest_whispers(scene: ComparedScene) -> None:
    """With type chat and normal, without a type and without a body, in both directions, and an answer that fails."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.drain(scene.room)
    for type in ("type='chat'", "type='normal'", ""):
        for payload in ("<body>psst</body>", f"<body>{WORDS}</body>", CHAT_STATE):
            id = bob.new_id("whisper")
            bob.send(f"<message {type} id='{id}' to='{scene.me.occupant_jid}'>{payload}</message>")
    await scene.settle(bob, scene.me)
    scene.me.send_message("what?", to=bob.occupant_jid)
    await bob.expect(xml.message(body="what?"))
    scene.me.send_message("anybody", to=f"{scene.room}/nobody")
    await scene.settle(scene.me, bob)
    await scene.me.say("still here")


@compared_among("F29", "M10")
async def guest_membership_notices(scene: ComparedScene) -> None:
    """An affiliation that changes while the account is outside (101), while it is in, and somebody else's."""
    bob = await scene.owner()
    await bob.affiliate(scene.me.account, "member", "welcome")
    await scene.settle(bob, scene.me)
    await scene.me.join(scene.room, "me")
    await bob.affiliate(scene.me.account, "admin")
    await bob.affiliate("somebody@else.where", "member")
    await scene.settle(bob, scene.me)
    await scene.me.leave()
    await bob.affiliate(scene.me.account, "member")
    await scene.settle(bob, scene.me)


@compared_among("F29", "M11")
async def guest_voice_forms(scene: ComparedScene) -> None:
    """A moderator is asked for voice by the room: a message without a type."""
    bob = await scene.owner()
    await bob.configure(moderatedroom="1")
    carol = await scene.guest("carol")
    await scene.me.join(scene.room, "me")
    await bob.command("<item nick='me' role='moderator'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    carol.send(voice_request(scene.room))
    await bob.expect(IS_FORM)
    await scene.settle(bob, scene.me)
    await scene.me.say("still here")


@compared_among("F29", "B1")
async def guest_invitations(scene: ComparedScene) -> None:
    """Mediated, to an account outside; and by a device that is in, whose invitation is declined."""
    bob = await scene.owner()
    carol = await scene.person("carol")
    await bob.configure(allowinvites="1")
    send_invitation(bob, scene.me.account)
    await scene.settle(bob, scene.me)
    await scene.me.join(scene.room, "me")
    send_invitation(scene.me, carol.account)
    send_decline(carol, await carol.expect(INVITATION))
    await scene.settle(carol, bob, scene.me)
    await scene.me.say("still here")


@compared_among("F29", "H1")
async def guest_history(scene: ComparedScene) -> None:
    """A join with history, some of it with a word that a filter looks for."""
    bob = await scene.owner()
    await bob.set_subject("a subject")
    for body in ("one", WORDS, "three"):
        await bob.say(body)
    await scene.me.join(scene.room, "me")
    await scene.me.leave()
    await scene.me.join(scene.room, "me", inside="<history maxstanzas='2'/>")
    await scene.me.say("still here")
