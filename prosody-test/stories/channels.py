"""IRC channels behind a gateway that shows a bare JID nothing: design decision 1."""

import time

from client import xml
from client.person import Person
from harness.scene import ChannelScene, JudgedScene
from harness.story import check, gateway, judged
from lab.lab import EXCLUDED

AT_ONCE_S = 10
FOUND_OUT_S = 40


async def joined_within(device: Person, seconds: float) -> float:
    start = time.monotonic()
    await device.expect(xml.presence(status={"110"}), seconds)
    await device.expect(xml.subject())
    return time.monotonic() - start


async def talks_and_hears(device: Person, scene: ChannelScene) -> None:
    words = device.jid.rpartition("/")[2]
    device.send_message(f"from the {words}")
    await scene.other.expect(xml.message(body=f"from the {words}"))
    scene.other.send_message(f"to the {words}")
    await device.expect(xml.message(body=f"to the {words}", sender=scene.other.occupant_jid))


@gateway("J26", "R5")
async def gateway_becomes_direct(scene: ChannelScene) -> None:
    """The first join shows that the account is in and sees nothing; then every session is in by itself."""
    phone = await scene.phone()
    phone.send_join(scene.room, scene.nick_of("me"))
    seconds = await joined_within(phone, FOUND_OUT_S)
    check(seconds > AT_ONCE_S, f"found out after {seconds:.0f} s")
    await talks_and_hears(phone, scene)
    laptop = await scene.laptop()
    laptop.send_join(scene.room, scene.nick_of("me"))
    await joined_within(laptop, AT_ONCE_S)
    await talks_and_hears(laptop, scene)
    check((await laptop.ping(laptop.occupant_jid)).get("type") == "result", "it knows that it is in")
    await laptop.leave()
    await talks_and_hears(phone, scene)
    await phone.leave()
    await scene.other.expect(xml.presence(type="unavailable", sender=phone.occupant_jid))


@gateway("R5")
async def excluded_channel(scene: ChannelScene) -> None:
    """An option says that the module leaves it alone, so nothing has to be found out."""
    await scene.other.join(f"#{EXCLUDED}@{scene.service}", scene.other.nick)
    phone = await scene.phone()
    phone.send_join(scene.other.room, scene.nick_of("me"))
    await joined_within(phone, AT_ONCE_S)
    await talks_and_hears(phone, scene)


@judged("R5", kinds=("local", "remote"))
async def excluded_room(scene: JudgedScene) -> None:
    """The session joins by itself, and the room sees it and not the account."""
    scene.room = f"{EXCLUDED}@{scene.service}"
    await scene.judge.join(scene.room, "judge")
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me"))
    check(scene.occupants() == {"me": phone.jid}, f"the judge sees {scene.occupants()}")
    await phone.leave()
