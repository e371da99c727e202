"""Modules that only watch: each sees what comes for the account, once, as it would without the account's joining."""

from client import xml
from client.person import Person
from harness.guest import KINDS
from harness.scene import ComparedScene
from harness.story import compared
from lab.guests import PUSH, WATCHED
from stories.queries import IS_QUESTION, VERSION

CSI = "urn:xmpp:csi:0"


async def ask_watcher(device: Person, what: str) -> None:
    await device.query("get", device.account, f"<{what} xmlns='urn:lab:watcher'/>")


@compared("F34", "J1", "K1", "L1", "N2", kinds=KINDS, host=WATCHED)
async def f34_tracked_rooms(scene: ComparedScene) -> None:
    """mod_track_muc_joins knows room and nick, after a join, a nick change, a leave, a kick."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "wendy")
    await ask_watcher(scene.me, "rooms")
    await scene.me.change_nick("wanda")
    await ask_watcher(scene.me, "rooms")
    await scene.me.leave()
    await ask_watcher(scene.me, "rooms")
    await scene.me.join(scene.room, "wendy")
    await bob.kick("wendy", "out")
    await scene.me.expect(xml.presence(type="unavailable"))
    await ask_watcher(scene.me, "rooms")


@compared("F34", "M1", "M9", "P1", kinds=KINDS, host=WATCHED)
async def f34_watched_messages(scene: ComparedScene) -> None:
    """Groupchat, own reflections, history, whispers, a notice, the subject."""
    bob = await scene.owner()
    await bob.say("before")
    await scene.me.join(scene.room, "me")
    await bob.say("hello")
    await scene.me.say("mine")
    for type in ("type='chat'", "type='normal'", ""):
        id = bob.new_id("whisper")
        bob.send(f"<message {type} id='{id}' to='{scene.me.occupant_jid}'><body>psst</body></message>")
        await scene.me.expect(xml.message(id=id))
    await bob.configure(roomname="Kitchen")
    await bob.affiliate("somebody@else.where", "member")
    await bob.set_subject("a subject")
    await scene.settle(bob, scene.me)
    await ask_watcher(scene.me, "seen")


@compared("F34", "J1", "N2", "N12", "L1", kinds=KINDS, host=WATCHED)
async def f34_watched_presences(scene: ComparedScene) -> None:
    """Others' and our own, of a join, an update, a nick change and a leave."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    await bob.update("<show>away</show>")
    carol = await scene.guest("carol")
    await carol.leave()
    await scene.settle(carol, scene.me)
    await scene.me.update("<show>dnd</show>")
    await scene.me.change_nick("i")
    await scene.me.leave()
    await ask_watcher(scene.me, "seen")


@compared("F34", "I4", kinds=KINDS, host=WATCHED)
async def f34_watched_questions(scene: ComparedScene) -> None:
    """What an occupant asks, and that we answer."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    id = bob.send_query("get", scene.me.occupant_jid, f"<query xmlns='{VERSION}'/>")
    question = await scene.me.expect(IS_QUESTION)
    answer = f"<query xmlns='{VERSION}'><name>mine</name></query>"
    scene.me.send(f"<iq type='result' id='{question.get('id')}' to={xml.quoteattr(question.get('from'))}>{answer}</iq>")
    await bob.expect(xml.answer(id))
    await ask_watcher(scene.me, "seen")


@compared("F34", "I1", kinds=KINDS, host=WATCHED)
async def f34_watched_answers(scene: ComparedScene) -> None:
    """What an occupant answers; and a query, and a message, that the room refuses."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.send_query("get", bob.occupant_jid, f"<query xmlns='{VERSION}'/>")
    question = await bob.expect(IS_QUESTION)
    answer = f"<query xmlns='{VERSION}'><name>bob's</name></query>"
    bob.send(f"<iq type='result' id='{question.get('id')}' to={xml.quoteattr(question.get('from'))}>{answer}</iq>")
    await scene.me.expect(xml.answer(id))
    await scene.me.ping(f"{scene.room}/nobody")
    id = scene.me.send_message("anybody", to=f"{scene.room}/nobody")
    await scene.me.expect(xml.message(id=id, type="error"))
    await ask_watcher(scene.me, "seen")


async def inactive(scene: ComparedScene) -> None:
    bob = await scene.owner()
    await scene.me.join(scene.room, "wendy")
    username = scene.me.account.partition("@")[0]
    scene.me.send_raw(f"<inactive xmlns='{CSI}'/>")
    await scene.me.synchronise()
    for body in ("nothing for her", "wendy, by the nick", f"{username}, by the name"):
        await bob.say(body)
    await bob.update("<show>away</show>")
    await bob.say("nothing again")
    bob.send_message("psst", to=scene.me.occupant_jid)
    await scene.me.expect(xml.message(body="psst"))
    await bob.say("and nothing")
    await scene.settle(bob, scene.me)
    scene.me.send_raw(f"<active xmlns='{CSI}'/>")
    await scene.me.say("back")


@compared("F34", "M1", "P1", kinds=KINDS, host=WATCHED)
async def f34_held_back(scene: ComparedScene) -> None:
    """mod_csi_battery_saver holds back all but what names us, and whispers."""
    await inactive(scene)


@compared("M1", "P1", kinds=KINDS)
async def guest_inactive(scene: ComparedScene) -> None:
    """The same with mod_csi_simple."""
    await inactive(scene)


@compared("F34", "M1", "P3", kinds=("local",), host=WATCHED)
async def guest_pushed(scene: ComparedScene) -> None:
    """While the stream is gone, a push for what is said, and for a whisper; then all that was missed."""
    bob = await scene.owner()
    pushed = await scene.person("pushed")
    scene.recorded.append(pushed)
    push = f"<enable xmlns='urn:xmpp:push:0' jid='{PUSH}' node='{pushed.jid}'/>"
    await scene.me.query("set", scene.me.account, push)
    await scene.me.join(scene.room, "me")
    await scene.settle(bob, scene.me)
    await scene.me.drop()
    await bob.say("hello")
    bob.send_message("psst", to=scene.me.occupant_jid)
    await scene.settle(bob)
    await pushed.expect(xml.message())
    await scene.me.resume()
    await scene.me.say("back")
    await pushed.drain(PUSH)
