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
