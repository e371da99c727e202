"""A client library that many clients are built on, beside a raw client of the same account."""

from client.slix import SlixClient
from harness.scene import JudgedScene
from harness.story import check, judged
from stories.devices import one_device


@judged("J1", "M2", "L1", "L3", "I2")
async def slixmpp_joins_talks_and_leaves(scene: JudgedScene) -> None:
    """It joins as the second device, sees who is there, talks, pings itself, and leaves."""
    phone = await one_device(scene)
    library = SlixClient(scene.me, "library")
    try:
        await library.go_online(scene.endpoint)
        await library.join(scene.room, "me")
        check(library.roster_of(scene.room) == {"me", "judge"}, f"it sees {library.roster_of(scene.room)}")
        await scene.judge.say("hi")
        check(await library.next_body() == "hi", "it hears")
        library.send_message(scene.room, "hello", mtype="groupchat")
        check(await library.next_body() == "hello", "it hears itself")
        await library["xep_0199"].ping(f"{scene.room}/me", timeout=10)
        library["xep_0045"].leave_muc(scene.room, "me")
        await library["xep_0199"].ping(scene.host, timeout=10)
        check(not await scene.judge_saw(phone), "the judge sees nothing of all that but the message")
        scene.check_one_occupant("me")
    finally:
        await library.stop()
