"""A filter of the host that does with a stanza what stands in it, whatever kind of stanza it is."""

from client import xml
from client.person import Person
from harness.guest import KINDS, judged_among
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged
from lab.guests import FILTERED, FIREWALL, SPAM, STRANGERS, WAITING, WATCHED
from lab.lab import FAR, WITHOUT
from stories.devices import two_devices
from stories.private import archived
from stories.queries import IS_QUESTION


def whisper(person: Person, to: str, body: str, type: str = "type='chat'") -> None:
    person.send(f"<message {type} id='{person.new_id('whisper')}' to='{to}'><body>{body}</body></message>")


async def everything_said(scene: ComparedScene, order: str) -> None:
    """Groupchat, our own, a subject, whispers, an invitation, a voice form's like, and what is left in the history."""
    bob = await scene.owner()
    await bob.say(f"lab:{order} in the history")
    await scene.me.join(scene.room, "me")
    bob.send_message(f"lab:{order} live")
    await scene.settle(bob, scene.me)
    scene.me.send_message(f"lab:{order} mine")
    await scene.settle(scene.me, bob)
    for type in ("type='chat'", "type='normal'", ""):
        whisper(bob, scene.me.occupant_jid, f"lab:{order} psst", type)
    bob.send(f"<message type='groupchat' to='{scene.room}'><subject>lab:{order}</subject></message>")
    await scene.settle(bob, scene.me)
    await bob.set_subject("a subject that may be")
    await scene.me.say("still here")
    await scene.me.leave()
    await scene.me.join(scene.room, "me")
    await scene.me.say("and again")


@compared("F29", "M1", "M2", "P1", "H1", kinds=KINDS, host=FILTERED)
async def filter_drops_messages(scene: ComparedScene) -> None:
    await everything_said(scene, "drop")


@compared("F29", "M1", "M2", "P1", "H1", kinds=KINDS, host=FILTERED)
async def filter_changes_messages(scene: ComparedScene) -> None:
    await everything_said(scene, "change")


@compared("F29", "M1", "P1", kinds=("remote",), host=FILTERED)
async def filter_fails_on_messages(scene: ComparedScene) -> None:
    """A local room breaks off its loop over the occupants on the way, so that others miss it too."""
    await everything_said(scene, "raise")


async def everything_shown(scene: ComparedScene, order: str) -> None:
    """Others' presence, before a join and after it, as it changes and goes, and at the next join."""
    status = f"<status>lab:{order}</status>"
    bob = await scene.owner()
    carol = await scene.guest("carol")
    await carol.update(status)
    await scene.me.join(scene.room, "me")
    await bob.update(status)
    await carol.leave(f"lab:{order}")
    await scene.settle(carol, bob, scene.me)
    await scene.me.say("still here")
    await scene.me.leave()
    await bob.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await scene.me.join(scene.room, "me")
    await scene.me.say("here again")


@compared("F29", "J1", "N12", kinds=KINDS, host=FILTERED)
async def filter_drops_presences(scene: ComparedScene) -> None:
    await everything_shown(scene, "drop")


@compared("F29", "J1", "N12", kinds=KINDS, host=FILTERED)
async def filter_changes_presences(scene: ComparedScene) -> None:
    await everything_shown(scene, "change")


@compared("F29", "J1", "N12", kinds=("remote",), host=FILTERED)
async def filter_fails_on_presences(scene: ComparedScene) -> None:
    await everything_shown(scene, "raise")


@compared("F29", "N7", "N2", "K1", kinds=KINDS, host=FILTERED)
async def filter_changes_own_presences(scene: ComparedScene) -> None:
    """A join, an update, a nick change and a kick, each of which comes back changed."""
    status = "<status>lab:change</status>"
    bob = await scene.owner()
    await scene.me.join(scene.room, "me", beside=status)
    await scene.me.update(status + "<show>away</show>")
    scene.me.send_presence(status, "i")
    await scene.me.expect(xml.presence(sender=f"{scene.room}/i"))
    await scene.me.say("still here")
    await bob.kick("i", "lab:change")
    await scene.settle(bob, scene.me)


async def everything_asked(scene: ComparedScene, order: str) -> None:
    """A question to us, and the answer to one of ours; whether each arrives is said in the room."""
    payload = f"<query xmlns='urn:example:ordered'>lab:{order}</query>"
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    bob.send_query("get", scene.me.occupant_jid, payload)
    await scene.settle(bob, scene.me)
    scene.me.send_query("get", bob.occupant_jid, "<query xmlns='urn:example:ordered'/>")
    question = await bob.expect(IS_QUESTION)
    to = xml.quoteattr(question.get("from"))
    bob.send(f"<iq type='result' id='{question.get('id')}' to={to}>{payload}</iq>")
    await scene.settle(bob, scene.me)
    await scene.me.say("still here")


@compared("F29", "I1", "I4", kinds=KINDS, host=FILTERED)
async def filter_drops_queries(scene: ComparedScene) -> None:
    await everything_asked(scene, "drop")


@compared("F29", "I1", "I4", kinds=KINDS, host=FILTERED)
async def filter_changes_queries(scene: ComparedScene) -> None:
    await everything_asked(scene, "change")


@compared("F29", "I1", "I4", kinds=KINDS, host=FILTERED)
async def filter_bounces_queries(scene: ComparedScene) -> None:
    await everything_asked(scene, "bounce")


@compared("F29", "I1", "I4", kinds=("remote",), host=FILTERED)
async def filter_fails_on_queries(scene: ComparedScene) -> None:
    await everything_asked(scene, "raise")


@compared("F29", "M1", "M2", "P1", kinds=KINDS, host=FILTERED)
async def filter_bounces_messages(scene: ComparedScene) -> None:
    """The device gets none of it and stays in the room."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    bob.send_message("lab:bounce live")
    for type in ("type='chat'", "type='normal'", ""):
        whisper(bob, scene.me.occupant_jid, "lab:bounce psst", type)
    await scene.settle(bob, scene.me)
    await scene.me.say("still here")


@compared("F29", "M1", "M2", "P1", "N7", "I4", kinds=KINDS, host=WAITING)
async def filter_waits(scene: ComparedScene) -> None:
    """It lets each stanza go on after a second: nothing is lost, nothing overtakes on one way."""
    # It delays all that comes on the same stream, so bob has his own.
    bob = await scene.device("bob", "bob", host=WITHOUT if scene.kind == "local" else FAR)
    await bob.join(scene.room, "bob")
    await scene.me.join(scene.room, "me")
    bob.send_message("lab:wait one")
    bob.send_message("two")
    whisper(bob, scene.me.occupant_jid, "lab:wait three")
    bob.send_presence("<status>lab:wait four</status>")
    bob.send_query("get", scene.me.occupant_jid, "<query xmlns='urn:example:ordered'>lab:wait five</query>")
    bob.send_message("six")
    await scene.me.expect(IS_QUESTION)
    await scene.me.expect(xml.message(body="six"))
    await scene.me.say("lab:wait mine")
    scene.me.send_presence("<status>lab:wait mine too</status>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    await scene.me.say("still here")


# ---- the room's side, and several devices ----


async def said(device: Person, last: str) -> list[str]:
    """The bodies of all messages up to that one."""
    came = await device.until(xml.message(body=last))
    return [stanza.findtext(xml.CLIENT + "body") or "" for stanza in came if xml.kind(stanza) == "message"]


async def check_undisturbed(scene: JudgedScene, *devices: Person) -> None:
    """Neither the account nor one of its devices came, went or changed in the room."""
    seen = [xml.text(stanza) for stanza in await scene.judge_saw(*devices)]
    check(not seen, f"the judge sees {seen}")
    scene.check_one_occupant("me")


@judged_among("F29", "M7", "M1", "M2", "P3", hosts=(STRANGERS, SPAM, FIREWALL))
async def f29_two_devices(scene: JudgedScene) -> None:
    """Both get what the room says, also the word that is listed for strangers; the room gets no error."""
    phone, laptop = await two_devices(scene)
    bodies = ["hello", "the listed word", "the end"]
    scene.judge.send_message("psst the listed word", to=f"{scene.room}/me", extra="<no-copy xmlns='urn:xmpp:hints'/>")
    await scene.judge.update("<show>away</show>")
    for body in bodies:
        await scene.judge.say(body)
    for device in (phone, laptop):
        came = [body for body in await said(device, "the end") if not body.startswith("psst")]
        check(came == bodies, f"{device.jid} got {came}")
        check(any(xml.presence(sender=scene.judge.occupant_jid)(stanza) for stanza in device.received), "and presence")
    for device in (phone, laptop):
        await device.say(f"from {device.jid}")
    errors = [xml.text(stanza) for stanza in scene.judge.received if stanza.get("type") == "error"]
    check(not errors, f"the judge got {errors}")
    await check_undisturbed(scene, phone, laptop)


@judged("F29", "M7", kinds=KINDS, host=FILTERED)
async def filter_of_two_devices(scene: JudgedScene) -> None:
    """What it drops, nobody gets; what it changes, both get changed; what it bounces throws nobody out."""
    phone, laptop = await two_devices(scene)
    for order in ("drop", "change", "bounce"):
        scene.judge.send_message(f"lab:{order}")
        whisper(scene.judge, f"{scene.room}/me", f"lab:{order} psst")
    await scene.judge.say("the end")
    for device in (phone, laptop):
        bodies = await said(device, "the end")
        check(bodies == ["lab:change", "lab:change psst", "the end"], f"{device.jid} got {bodies}")
        changed = [stanza for stanza in device.received if stanza.find("{urn:lab:filter}changed") is not None]
        check(len(changed) == 2, f"{device.jid} got {len(changed)} changed")
    await scene.judge.drain(scene.room)
    await check_undisturbed(scene, phone, laptop)


@judged("F29", "M7", "N7", kinds=KINDS, host=FILTERED)
async def filter_bounces_presences(scene: JudgedScene) -> None:
    """A stock session would be thrown out for an error that answers a presence: the account is not."""
    phone, laptop = await two_devices(scene)
    carol = await scene.guest("carol")
    carol.send_presence("<status>lab:bounce</status>")
    await carol.drain(scene.room)
    await scene.judge.say("the end")
    for device in (phone, laptop):
        came = await device.until(xml.message(body="the end"))
        check(not any(stanza.findtext(xml.CLIENT + "status") for stanza in came), f"{device.jid} sees it not")
    await check_undisturbed(scene, phone, laptop)


@judged("F29", "N7", kinds=KINDS, host=FILTERED)
async def filter_drops_own_presence(scene: JudgedScene) -> None:
    """An update whose reflection never comes: the next one is shown all the same, to the room and to its device."""
    phone, laptop = await two_devices(scene)
    await laptop.update("<show>xa</show>")
    phone.send_presence("<status>lab:drop</status>")
    await phone.say("still here")
    id = phone.send_presence("<show>dnd</show>")
    await phone.expect(xml.presence(sender=phone.occupant_jid, id=id))
    await scene.judge.drain(scene.room)
    shown = [stanza.findtext(xml.CLIENT + "show") for stanza in await scene.judge_saw(phone, laptop)]
    check(shown[-1:] == ["dnd"], f"the judge is shown {shown}")
    scene.check_one_occupant("me")


@judged("F29", "M2", "N7", kinds=KINDS, host=WAITING)
async def filter_waits_for_one_room(scene: JudgedScene) -> None:
    """While a stanza waits, another device joins and speaks, and nothing is lost."""
    phone, laptop = await two_devices(scene)
    scene.judge.send_message("lab:wait")
    await scene.judge.synchronise()
    tablet = await scene.device("me", "tablet")
    await tablet.join(scene.room, "me")
    await tablet.say("from the tablet")
    await scene.judge.say("the end")
    for device in (phone, laptop):
        bodies = sorted(await said(device, "the end"))
        check(bodies == ["from the tablet", "lab:wait", "the end"], f"{device.jid} got {bodies}")
    await check_undisturbed(scene, phone, laptop, tablet)


@judged_among("F29", "P4", "P5", hosts=(SPAM, FIREWALL, WATCHED, FILTERED))
async def whisper_for_later(scene: JudgedScene) -> None:
    """With no device attached it is kept and archived, once each, and a later device gets it."""
    phone, laptop = await two_devices(scene)
    await phone.close()
    await laptop.close()
    await scene.arrived()
    scene.judge.send_message("psst", to=f"{scene.room}/me")
    await scene.judge.drain(scene.room)
    await scene.arrived()
    tablet = await scene.device("me", "tablet", online=False)
    await tablet.connect()
    tablet.send("<presence/>")
    bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in await tablet.drain()]
    check(bodies.count("psst") == 1, f"the tablet got {bodies}")
    lines = await archived(tablet, scene.room)
    check(lines == ["psst"], f"the archive has {lines}")
    errors = [xml.text(stanza) for stanza in scene.judge.received if stanza.get("type") == "error"]
    check(not errors, f"the judge got {errors}")
    scene.check_one_occupant("me")
