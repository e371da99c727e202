"""Modules that end accounts, and that carry what two servers say to each other."""

from client import xml
from harness.guest import KINDS
from harness.puppet import GOT, ScriptedScene
from harness.scene import JudgedScene
from harness.story import check, judged, scripted
from lab.guests import WATCHED
from stories.scripted import LEAVE, enter


@judged("L8", "F29", kinds=KINDS, host=WATCHED)
async def guest_deleted_account(scene: JudgedScene) -> None:
    """mod_tombstones: an account that is deleted has left its rooms, and an invitation does not bring it back."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await phone.say("hello")
    await scene.order(f"user delete {scene.me}")
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    scene.judge.send(
        f"<message to='{scene.room}'><x xmlns='{xml.MUC_USER}'><invite to='{scene.me}'/></x></message>"
    )
    await scene.arrived()
    await scene.judge_saw()
    scene.check_no_occupant()


@scripted("L8", "M8", "F29", host=WATCHED)
async def guest_answers_for_the_deleted(scene: ScriptedScene) -> None:
    """Once the room has answered the leave, what it sends a deleted account is answered as on a stock host."""
    phone = await scene.phone()
    join = await enter(scene, phone)
    await scene.order(f"user delete {scene.me}")
    left = await scene.got(LEAVE)
    check(left.get("from") == join.get("from"), f"who leaves is {left.get('from')}")
    await scene.emit(scene.presence(f"{scene.room}/me", left.get("from"), ("110",), left.get("id"), "unavailable"))
    await scene.emit(scene.message(f"{scene.room}/other", scene.me, "<body>late</body>"))
    came = await scene.handler.until(xml.Match(lambda stanza: stanza.find(GOT) is not None, "an answer"))
    answer = came[-1].find(GOT)[0]
    check(xml.condition(answer) == "service-unavailable", f"to a message: {xml.text(answer)}")
    await scene.emit(scene.presence(f"{scene.room}/other", scene.me))
    answer = await scene.got(xml.presence(type="error"))
    check(xml.condition(answer) == "gone", f"to a presence: {xml.text(answer)}")
    await scene.got(xml.presence(type="unsubscribe"))


@judged("F29", "J1", "M1", "L1", kinds=("remote",), alone=True)
async def guest_one_stream(scene: JudgedScene) -> None:
    """mod_s2s_bidi: what the room says comes over the stream that we have opened, and there is no other."""
    await scene.order(f"s2s close {scene.host} {scene.service}")
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await phone.say("hello")
    await scene.judge.say("hello to you")
    await phone.expect(xml.message(body="hello to you"))
    await phone.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    streams = await authenticated_streams(scene)
    direction = "-->" if scene.is_ejabberd else "<->"  # the lab's ejabberd has no such module
    check(len(streams) == 1 and streams[0].startswith("s2sout") and direction in streams[0], f"there are {streams}")


async def authenticated_streams(scene: JudgedScene) -> list[str]:
    """The streams between the account's host and the room's that carry stanzas. Dialback opens others to ask."""
    shown = await scene.order(f"s2s show {scene.service}")
    return [line for line in shown.splitlines() if f" {scene.host} " in line and "Completed" in line]
