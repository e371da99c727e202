"""Nick and presence: XEP-0045 §7.6, §7.7; queries to occupants: XEP-0410 and §17.4."""

from client import xml
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged


@compared("N2", "N3", "M2")
async def nick_change(scene: ComparedScene) -> None:
    """Our own, and then all goes on under the new one."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.change_nick("i")
    await scene.me.say("it is I")
    await scene.me.ping(scene.me.occupant_jid)
    bob.send_message("psst", to=scene.me.occupant_jid)
    await scene.me.expect(xml.message(body="psst"))
    await scene.me.leave()
    await scene.me.drain(scene.room)


@judged("N1", "N3", kinds=("local", "remote"))
async def nick_change_with_a_show(scene: JudgedScene) -> None:
    """ejabberd takes the nick alone; the update that says the same show again then reaches the room."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await phone.update("<show>away</show>")
    phone.send_presence("<show>dnd</show>", "i")
    phone.nick = "i"
    await phone.drain(scene.room)
    phone.send_presence("<show>dnd</show>")
    [*_, last] = await scene.judge_saw(phone)
    check(last.findtext(xml.CLIENT + "show") == "dnd", f"the judge sees: {xml.text(last)}")
    scene.check_one_occupant("i")


@compared("N4")
async def nick_conflict(scene: ComparedScene) -> None:
    await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.send_presence("", "bob")
    await scene.me.expect(xml.presence_error(id))
    await scene.me.say("still me")
    await scene.me.drain(scene.room)


@compared("N6", "N12")
async def others_change(scene: ComparedScene) -> None:
    """Nick, role, affiliation and status of others, also as a later join shows them."""
    bob = await scene.owner()
    carol = await scene.guest("carol")
    await scene.me.join(scene.room, "me")
    await carol.change_nick("caroline")
    await carol.update("<show>dnd</show>")
    await bob.affiliate(carol.account, "admin")
    await bob.command("<item nick='caroline' role='moderator'/>")
    dave = await scene.guest("dave")
    await dave.leave("bye")
    await scene.settle(carol, bob, scene.me)
    await scene.me.leave()
    await scene.settle(scene.me, bob)
    await scene.me.join(scene.room, "me")
    await scene.me.drain(scene.room)


@compared("N7", "N9")
async def status_changes(scene: ComparedScene) -> None:
    """Updates to the occupant JID and to the bare room, one of them with a role that we give ourselves."""
    await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.me.update("<show>away</show><status>lunch</status>")
    await scene.me.update(f"<x xmlns='{xml.MUC_USER}'><item role='moderator' affiliation='owner'/></x>")
    scene.me.send(f"<presence id='{scene.me.new_id('presence')}' to='{scene.room}'><show>xa</show></presence>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    await scene.me.drain(scene.room)


@compared("N12", "N13")
async def own_role_and_affiliation(scene: ComparedScene) -> None:
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.command("<item nick='me' role='moderator'/>")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    await bob.affiliate(scene.me.account, "member")
    await scene.me.expect(xml.presence(sender=scene.me.occupant_jid))
    await scene.me.drain(scene.room)


@compared("J11", "K9")
async def subscription(scene: ComparedScene) -> None:
    """We subscribe to an occupant, to the room and to ourselves, and say that we do so no more."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    for type, to in ("subscribe", bob.occupant_jid), ("subscribe", scene.room), ("unsubscribe", scene.me.occupant_jid):
        id = scene.me.new_id("subscription")
        scene.me.send(f"<presence type='{type}' id='{id}' to='{to}'/>")
        await scene.me.drain(scene.room)
    await scene.me.say("still here")


@judged("J11", "J16", "K9")
async def subscription_repeated(scene: JudgedScene) -> None:
    """Prosody repeats a subscription when a device comes online: its refusal, without an id, is not the join's."""
    phone = await scene.phone()
    phone.send(f"<presence type='subscribe' to='{scene.room}'/>")
    await phone.drain(scene.room)
    laptop = await scene.device("me", "laptop", online=False)
    await laptop.connect()
    laptop.send("<presence/>")
    laptop.send_join(scene.room, "me")
    await laptop.expect(xml.subject())
    await laptop.say("here I am")
    await scene.sees_one("me", laptop)


@compared("I1", "I2")
async def self_ping(scene: ComparedScene) -> None:
    """Before the join, within, and after the leave; of ourselves, of another nick and of nobody."""
    bob = await scene.owner()
    own = f"{scene.room}/me"
    check((await scene.me.ping(own)).get("type") == "error", "not in")
    await scene.me.join(scene.room, "me")
    check((await scene.me.ping(own)).get("type") == "result", "in")
    check((await scene.me.ping(f"{scene.room}/nobody")).get("type") == "error", "nobody has this nick")
    await scene.me.leave()
    await scene.settle(scene.me, bob)
    check((await scene.me.ping(own)).get("type") == "error", "out again")
    await scene.me.drain(scene.room)


@compared("I5", "I6")
async def queries_to_occupants(scene: ComparedScene) -> None:
    """A ping of another occupant goes to their client; a query to the room is the room's."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.send_query("get", f"{scene.room}/bob", "<query xmlns='jabber:iq:version'/>")
    asked = await bob.expect(xml.Match(lambda stanza: xml.kind(stanza) == "iq", "the query"))
    check(asked.get("from") == scene.me.occupant_jid, "it comes from the occupant")
    bob.answer(asked, "<query xmlns='jabber:iq:version'><name>bob's</name></query>")
    await scene.me.expect(xml.answer(id))
    await scene.me.query("get", scene.room, xml.DISCO_INFO)
    await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'><item affiliation='owner'/></query>")
    await scene.me.drain(scene.room)


@compared("N8", "N11")
async def general_presence(scene: ComparedScene) -> None:
    """What goes to nobody in particular does not reach the room."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await scene.settle(scene.me, bob)
    scene.me.send("<presence><show>away</show><priority>-1</priority></presence>")
    await scene.me.drain(scene.room)
    seen = await bob.until(xml.message(id=bob.send_message("to one of negative priority")))
    check(len(seen) == 1, "the room was shown nothing")
    await scene.me.expect(xml.message(body="to one of negative priority"))
    await scene.me.drain(scene.room)
