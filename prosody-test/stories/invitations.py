"""Mediated invitations and declines: XEP-0045 §7.8.2."""

from client import xml
from client.person import Person
from client.xml import Element, Match, quoteattr
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged

X = f"{{{xml.MUC_USER}}}x"


def holds(name: str) -> Match:
    return Match(lambda stanza: stanza.find(f"{X}/{{{xml.MUC_USER}}}{name}") is not None, f"an {name}")


INVITATION, DECLINE = holds("invite"), holds("decline")


def send_invitation(person: Person, to: str) -> None:
    person.send(
        f"<message id='{person.new_id('invite')}' to='{person.room}'><x xmlns='{xml.MUC_USER}'>"
        f"<invite to='{to}'><reason>come</reason></invite></x></message>"
    )


def send_decline(person: Person, invitation: Element) -> None:
    inviter = invitation.find(f"{X}/{{{xml.MUC_USER}}}invite").get("from")
    person.send(
        f"<message id='{person.new_id('decline')}' to={quoteattr(invitation.get('from'))}><x xmlns='{xml.MUC_USER}'>"
        f"<decline to={quoteattr(inviter)}><reason>busy</reason></decline></x></message>"
    )


async def invited_once(person: Person) -> Element:
    invitation = await person.expect(INVITATION)
    check(not any(INVITATION(stanza) for stanza in await person.drain()), f"{person.jid} is invited once")
    return invitation


@judged("F16", "B1")
async def f16_invited_while_offline(scene: JudgedScene) -> None:
    """The invitation is kept, and the first device that comes online is given it, once."""
    send_invitation(scene.judge, scene.me)
    await scene.settle(scene.judge)
    await scene.arrived()
    phone = await scene.arriving("phone")
    invitation = await invited_once(phone)
    laptop = await scene.arriving("laptop")
    check(not any(INVITATION(stanza) for stanza in await laptop.drain()), "the next one is not asked again")
    send_decline(phone, invitation)
    await scene.judge.expect(DECLINE)
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)


@judged("F16", "B1", "B2", "M6")
async def f16_invited_with_one_device_in(scene: JudgedScene) -> None:
    """The device outside is asked, though the account is in; nobody is asked twice, and nothing else changes."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    await scene.judge_saw(phone)
    send_invitation(scene.judge, scene.me)
    await invited_once(laptop)
    asked = [stanza for stanza in await phone.drain(scene.room) if INVITATION(stanza)]
    check(len(asked) <= 1, f"the one that is in is asked {len(asked)} times")
    await scene.saw_nothing("me", phone, laptop)


@judged("F16", "B1", "B3")
async def f16_invited_from_another_room(scene: JudgedScene) -> None:
    """One device is in another room of the service; both are asked, and one of them declines from outside."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room.replace("-room@", "-other-room@"), "me")
    send_invitation(scene.judge, scene.me)
    for device in (phone, laptop):
        invitation = await invited_once(device)
    send_decline(laptop, invitation)
    await scene.judge.expect(DECLINE)
    check(not await scene.judge_saw(phone, laptop), "the judge sees nobody come")


@compared("B3", "B1")
async def invites_and_hears_a_decline(scene: ComparedScene) -> None:
    """A single device invites somebody, who declines; what both receive is as without the module."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    carol = await scene.person("carol")
    scene.recorded.append(carol)
    send_invitation(scene.me, carol.account)
    send_decline(carol, await invited_once(carol))
    await scene.me.expect(DECLINE)
    await scene.me.drain(scene.room)


@compared("B4", kinds=("local", "remote"))
async def direct_invitations(scene: ComparedScene) -> None:
    """From one account to another, past the room, both ways (XEP-0249)."""
    await scene.owner()
    carol = await scene.person("carol")
    scene.recorded.append(carol)
    await scene.me.join(scene.room, "me")
    invitation = f"<x xmlns='jabber:x:conference' jid='{scene.room}' reason='come'/>"
    carol.send(f"<message id='{carol.new_id('direct')}' to='{scene.me.account}'>{invitation}</message>")
    await scene.me.expect(xml.message(sender=carol.jid))
    scene.me.send(f"<message id='{scene.me.new_id('direct')}' to='{carol.account}'>{invitation}</message>")
    await carol.expect(xml.message(sender=scene.me.jid))
    await scene.me.drain(scene.room)
