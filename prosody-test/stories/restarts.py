"""The account's server is stopped or killed, and started again: others in the room see nothing of it."""

from client import xml
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.guests import PUSHED
from stories.bookmarks import publish
from stories.pushing import NOTIFY, said_by_me, service_of

LINES = 30  # more than a room shows of its history
IN = '"nick":"me"'  # in a record: the account is in under that nick


async def comes_back(scene: JudgedScene, killed: bool) -> None:
    """Before and after a restart the account is in, and nobody is shown a leave or a join."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    if killed:
        await scene.until_stored(IN)
    await scene.restart(killed)
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me")
    check(any(stanza.get("from") == f"{scene.room}/judge" for stanza in came), "the session is shown who is there")
    own = next(stanza for stanza in came if "110" in xml.codes(stanza))
    check(own.get("from") == f"{scene.room}/me", f"it is in as before: {xml.text(own)}")
    saw = await scene.judge_saw(laptop)
    leaves = [xml.text(stanza) for stanza in saw if stanza.get("type") == "unavailable"]
    check(not leaves, f"the judge sees a leave: {leaves}")
    scene.check_one_occupant("me")
    await scene.judge.say("after the start")
    await laptop.expect(xml.message(body="after the start"))
    await laptop.say("back again")
    await scene.judge.expect(xml.message(body="back again"))


@judged("L10", kinds=("local", "remote"), alone=True)
async def server_stopped_and_started(scene: JudgedScene) -> None:
    await comes_back(scene, killed=False)


@judged("L10", kinds=("remote",), alone=True)
async def server_killed_and_started(scene: JudgedScene) -> None:
    await comes_back(scene, killed=True)


@judged("L10", kinds=("remote",), alone=True)
async def server_started_and_nobody_connects(scene: JudgedScene) -> None:
    """The account stays, with nobody connected: what is said meanwhile is there for who comes later."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    await scene.restart()
    await scene.judge.say("is anybody there")
    await scene.arrived()
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me", "<history maxstanzas='5'/>")
    said = [stanza.findtext(xml.CLIENT + "body") for stanza in came]
    check(said.count("is anybody there") == 1, f"it is told once: {said}")
    saw = await scene.judge_saw(laptop)
    check(not [stanza for stanza in saw if stanza.get("type") == "unavailable"], "no leave")
    scene.check_one_occupant("me")


@judged("L10", "H14", kinds=("remote",), alone=True)
async def messages_lost_with_the_server(scene: JudgedScene) -> None:
    """What the room has said to a server that was killed before it heard of it comes from the room's archive."""
    await scene.judge.say("before")
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.until_stored('"stanza_id":')
    lines = [f"line {number}" for number in range(LINES)]
    async with scene.deaf():
        for line in lines:
            await scene.judge.say(line)
        await scene.judge.drain(scene.room)
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me", "<history maxstanzas='50'/>")
    said = [stanza.findtext(xml.CLIENT + "body") for stanza in came if stanza.findtext(xml.CLIENT + "body")]
    check([line for line in said if line != "before"] == lines, f"each once and in order: {said}")
    check(said.count("before") <= 1, f"what came before is not told twice: {said}")
    saw = await scene.judge_saw(laptop)
    check(not [stanza for stanza in saw if stanza.get("type") == "unavailable"], "no leave")
    scene.check_one_occupant("me")


@judged("L10", "L1", kinds=("remote",), alone=True)
async def left_before_the_restart(scene: JudgedScene) -> None:
    """A room that was left is not entered again, also if the server is killed right after the leave."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.until_stored(IN)
    await phone.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await scene.restart(killed=True)
    stored = scene.stored()
    check('"departure":"left"' in stored and IN not in stored, f"it is stored that the room was left: {stored}")
    await scene.arrived()
    await scene.judge.drain(scene.room)
    scene.check_no_occupant()


@judged("U4", "L10", kinds=("local", "remote"), host=PUSHED, alone=True)
async def push_of_an_answer_after_a_restart(scene: JudgedScene) -> None:
    """What the account has said before a restart is answered after it, with nobody online: that is a mention."""
    phone = await scene.phone()
    service = await service_of(scene, phone, "phone-service")
    await publish(phone, scene.room, extensions=f"<notify xmlns='{NOTIFY}'><on-mention/></notify>")
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    reply_to = await said_by_me(scene, phone)
    await phone.close()
    await scene.restart()
    for body, id in (("not to you", "unknown"), ("to you", reply_to)):
        await scene.judge.say(body, f"<reply xmlns='urn:xmpp:reply:0' id='{id}'/>")
    told = await service.next()
    check(told == "to you", f"the phone is told {told}")
