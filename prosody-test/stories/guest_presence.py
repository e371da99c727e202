"""Presences and queries of a room among modules that filter and watch."""

from client import xml
from harness.guest import compared_among
from harness.scene import ComparedScene
from stories.queries import IS_QUESTION, VERSION


@compared_among("F29", "N2", "N12", "J1")
async def guest_presences(scene: ComparedScene) -> None:
    """Others come, change and go; so do we."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.update("<show>away</show>")
    carol = await scene.guest("carol")
    await carol.change_nick("caroline")
    await carol.leave("bye")
    await scene.settle(carol, bob, scene.me)
    await scene.me.update("<show>dnd</show>")
    await scene.me.change_nick("i")
    await bob.update("")
    await bob.command("<item nick='i' role='moderator'/>")
    await scene.settle(bob, scene.me)
    await scene.me.leave()
    await scene.me.join(scene.room, "me")
    await scene.me.say("still here")


@compared_among("F29", "K1")
async def guest_removals(scene: ComparedScene) -> None:
    """Kicked, in again, banned, and refused."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.kick("me", "out")
    await scene.me.expect(xml.presence(type="unavailable", status={"307"}))
    await scene.me.join(scene.room, "me")
    await bob.affiliate(scene.me.account, "outcast", "for good")
    await scene.me.expect(xml.presence(type="unavailable", status={"301"}))
    await scene.me.refused(scene.room, "me")
    await scene.settle(bob, scene.me)


@compared_among("F29", "K1")
async def guest_destroyed_room(scene: ComparedScene) -> None:
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.destroy("no more")
    await scene.me.expect(xml.presence(type="unavailable"))
    await scene.me.drain()


@compared_among("F29", "I1", "I2", "I3")
async def guest_queries(scene: ComparedScene) -> None:
    """We ask an occupant, who answers; ourselves; nobody."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.send_query("get", bob.occupant_jid, f"<query xmlns='{VERSION}'/>")
    question = await bob.expect(IS_QUESTION)
    answer = f"<query xmlns='{VERSION}'><name>bob's</name></query>"
    bob.send(f"<iq type='result' id='{question.get('id')}' to={xml.quoteattr(question.get('from'))}>{answer}</iq>")
    await scene.me.expect(xml.answer(id))
    await scene.me.ping(scene.me.occupant_jid)
    await scene.me.ping(f"{scene.room}/nobody")
    await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'><item role='participant'/></query>")
    await scene.me.say("still here")


@compared_among("F29", "I4")
async def guest_questions(scene: ComparedScene) -> None:
    """An occupant asks us for our version: we are asked, or a filter answers in our place, and it says which."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.drain(scene.room)
    id = bob.send_query("get", scene.me.occupant_jid, f"<query xmlns='{VERSION}'/>")
    came = await bob.drain(scene.room)
    for question in filter(IS_QUESTION, await scene.me.drain(scene.room)):
        answer = f"<query xmlns='{VERSION}'><name>mine</name></query>"
        scene.me.send(
            f"<iq type='result' id='{question.get('id')}' to={xml.quoteattr(question.get('from'))}>{answer}</iq>"
        )
    answer = next(filter(xml.answer(id), came), None)
    if answer is None:
        answer = await bob.expect(xml.answer(id))
    await bob.say(f"I got {answer.get('type')} {xml.condition(answer)}")
    await scene.me.say("still here")
