"""The server of the rooms is stopped and started again, and nobody of the account notices."""

from client import xml
from harness.scene import JudgedScene
from harness.story import check, judged


@judged("K8", "K10", kinds=("remote",), alone=True)
async def service_stopped_and_started_in_silence(scene: JudgedScene) -> None:
    """Nobody talks, nobody is attached: the service is asked, then the room, and who comes later is served."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    await phone.stop()
    occupant = f"{scene.room}/me"

    async def is_doubted() -> None:
        await scene.until_logged(f"{scene.service} may be out of reach")

    # an ejabberd that is stopped says so to each occupant, and the account would be out
    await scene.restart_remote(is_doubted, killed=scene.is_ejabberd)
    await scene.until_logged("Sending[s2sout]", "<iq", f"from='{scene.host}'", f"to='{scene.service}'")
    await scene.until_logged("Sending[s2sout]", "<iq", f"from='{scene.me}'", f"to='{occupant}'")
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me")
    own = next(stanza for stanza in came if "110" in xml.codes(stanza))
    check(own.get("from") == occupant, f"it is in as before: {xml.text(own)}")
    scene.judge = await scene.guest("judge")
    await scene.judge.say("after the outage")
    await laptop.expect(xml.message(body="after the outage"))
    await laptop.say("nothing noticed")
    await scene.judge.expect(xml.message(body="nothing noticed"))
