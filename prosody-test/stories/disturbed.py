"""What disturbs the whole server: reloads, and lost connections between servers."""

from client import xml
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged
from stories.devices import two_devices


async def joins_by_itself(scene: JudgedScene) -> Person:
    """A session that joins before the module is there."""
    async with scene.without_module():
        phone = await scene.phone()
        await phone.join(scene.room, "me")
    return phone


@judged("L4", "L2", alone=True)
async def module_reloaded(scene: JudgedScene) -> None:
    """Nobody notices."""
    phone, laptop = await two_devices(scene)
    await scene.order(f"module reload minimix {scene.host}")
    await scene.saw_nothing("me", phone, laptop)
    await phone.say("after the reload")
    await laptop.expect(xml.message(body="after the reload"))
    check((await laptop.ping(f"{scene.room}/me")).get("type") == "result", "both are in")
    tablet = await scene.device("me", "tablet")
    came = await tablet.join(scene.room, "me")
    check(any(stanza.get("from") == f"{scene.room}/judge" for stanza in came), "a later device is shown the room")
    check(not await scene.judge_saw(tablet), "and the judge sees nothing of it")


@judged("X5", "L6", alone=True)
async def joined_before_the_module(scene: JudgedScene) -> None:
    """A session that had joined by itself goes on by itself."""
    phone = await joins_by_itself(scene)
    await phone.say("by myself")
    check((await phone.ping(f"{scene.room}/me")).get("type") == "result", "it is still in")
    await scene.judge_saw(phone)
    check(scene.occupants() == {"me": phone.jid}, f"the judge sees {scene.occupants()}")
    await phone.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    scene.check_no_occupant()


@judged("K9", "I2", kinds=("remote",), alone=True)
async def connection_between_servers_lost(scene: JudgedScene) -> None:
    """A closed s2s stream is no loss: nobody is told, and nobody sees anything."""
    phone, laptop = await two_devices(scene)
    await scene.order(f"s2s close {scene.host} {scene.service}")
    check((await phone.ping(f"{scene.room}/me")).get("type") == "result", "still in")
    await laptop.say("still here")
    await phone.expect(xml.message(body="still here"))
    await scene.saw_nothing("me", phone, laptop)


async def somebody_waits(scene: JudgedScene) -> None:
    """Until one more send to a room has been made to wait."""
    asked = await scene.judge.query("get", scene.service, "<held xmlns='urn:lab:waits'/>")
    check(asked.get("type") == "result", xml.text(asked))


async def nobody_else_waits(*others: Person) -> None:
    for other in others:
        await other.say("not delayed")


@judged("R8", kinds=("local",), alone=True)
async def rooms_that_wait(scene: JudgedScene) -> None:
    """A room that makes a join or a message wait delays that account there, and nothing else."""
    phone, laptop = await two_devices(scene)
    tablet = await scene.device("me", "tablet")
    await tablet.join(f"second-{scene.room}", "me")
    neighbour = await scene.device("neighbour", "phone")
    await neighbour.join(scene.room, "neighbour")

    pad = await scene.device("me", "pad")
    pad.send_join(f"third-{scene.room}", "lab-wait")
    await somebody_waits(scene)
    await nobody_else_waits(phone, laptop, tablet, neighbour)
    check(not await pad.drain(), "the join waits, its session does not")
    await neighbour.say("lab-go-on")
    await pad.joined()

    phone.send_message("lab-wait")
    await somebody_waits(scene)
    laptop.send_message("behind it")
    await laptop.synchronise()
    await nobody_else_waits(tablet, neighbour)
    await neighbour.say("lab-go-on")
    for device in (phone, laptop, scene.judge):
        came = await device.until(xml.message(body="behind it"))
        bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in came]
        order = [body for body in bodies if body in ("lab-wait", "lab-go-on", "behind it")]
        check(order[-3:] == ["lab-go-on", "lab-wait", "behind it"], f"{device.jid} got {bodies}")


@judged("R8", "L4", kinds=("local",), alone=True)
async def rooms_that_never_answer(scene: JudgedScene) -> None:
    """A room that never takes in what it is sent, or fails, delays nothing else; nor does it stop a reload."""
    phone, laptop = await two_devices(scene)
    tablet = await scene.device("me", "tablet")
    await tablet.join(f"second-{scene.room}", "me")
    neighbour = await scene.device("neighbour", "phone")
    await neighbour.join(scene.room, "neighbour")
    failing = await scene.device("me", "failing")
    failing.send_join(f"third-{scene.room}", "lab-raise")
    pad = await scene.device("me", "pad")
    pad.send_join(f"fourth-{scene.room}", "lab-never")
    await somebody_waits(scene)
    await nobody_else_waits(phone, laptop, tablet, neighbour)

    phone.send_message("lab-never")
    await somebody_waits(scene)
    laptop.send_message("behind it")
    await laptop.synchronise()
    await nobody_else_waits(tablet, neighbour)
    await scene.order(f"module reload minimix {scene.host}")
    await laptop.expect(xml.message(body="behind it"))
    await nobody_else_waits(laptop, tablet, neighbour)
    await scene.saw_nothing("me", laptop, tablet)


async def behind_one_that_waits_for_ever(scene: JudgedScene) -> tuple[Person, Person]:
    """A device's message is behind one of another device that the room never takes in; gives it, and a neighbour."""
    phone, laptop = await two_devices(scene)
    neighbour = await scene.device("neighbour", "phone")
    await neighbour.join(scene.room, "neighbour")
    phone.send_message("lab-never")
    await somebody_waits(scene)
    laptop.send_message("behind it")
    await laptop.synchronise()
    return laptop, neighbour


@judged("R8", "X5", kinds=("local",), alone=True)
async def rooms_that_never_answer_and_an_unload(scene: JudgedScene) -> None:
    """An unload is not held up: what is behind goes up, and each session goes on by itself."""
    laptop, neighbour = await behind_one_that_waits_for_ever(scene)
    async with scene.without_module():
        for person in (neighbour, scene.judge):
            await person.expect(xml.message(body="behind it"))
        await nobody_else_waits(laptop, neighbour)


@judged("R8", "L10", kinds=("local",), alone=True)
async def rooms_that_never_answer_and_a_stop(scene: JudgedScene) -> None:
    """The stop of the server is not held up: what is behind goes up before it."""
    await behind_one_that_waits_for_ever(scene)
    await scene.restart()
    await scene.judge.expect(xml.message(body="behind it"))
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me")
    await laptop.say("after the start")
    await scene.judge.expect(xml.message(body="after the start"))
