"""What people have reported of rooms that were lost while nobody looked: F9 to F26 of docs/xep-map.md."""

from client import xml
from harness.scene import JudgedScene
from harness.story import check, judged

IN, OUT = '"nick"', '"departure"'  # of what is stored


async def in_and_gone(scene: JudgedScene) -> None:
    """The account is in, its only device has ended without leaving, and that is stored."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    await scene.until_stored(IN)
    await phone.close()


async def refused_then_let_in(scene: JudgedScene, condition: str, affiliation: str) -> None:
    """Each join of a device goes up: the room refuses it until the account may be in again."""
    phone = await scene.phone()
    for _ in range(2):
        refusal = await phone.refused(scene.room, "me")
        check(refusal == condition, f"the room's own answer, {condition}: {refusal}")
    await scene.judge.affiliate(scene.me, affiliation)
    await phone.join(scene.room, "me")
    await phone.say("let in")
    await scene.sees_one("me", phone)


@judged("F9", "L10", kinds=("local", "remote"), alone=True)
async def f9_destroyed_stays_destroyed(scene: JudgedScene) -> None:
    """A room that was destroyed is not made anew by the account, also not after a restart."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.until_stored(IN)
    await scene.judge.destroy("moved")
    # ejabberd's rooms take back a presence of their own first
    gone = await phone.expect(xml.presence(type="unavailable", sender=phone.occupant_jid))
    check(gone.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}destroy") is not None, f"destroyed: {xml.text(gone)}")
    await scene.until_stored(OUT)
    await scene.restart(killed=True)
    laptop = await scene.laptop()
    await laptop.drain(scene.room)
    answer = await scene.judge.query("get", scene.room, xml.DISCO_INFO)
    check(answer.get("type") == "error", f"the room is gone: {xml.text(answer)}")
    came = await laptop.join(scene.room, "me")
    check("201" in xml.codes(xml.self_presence(came)), "a join of a device goes up as anywhere, and makes the room")


@judged("F10", "K2", kinds=("local", "remote"))
async def f10_banned_and_let_in(scene: JudgedScene) -> None:
    """Banned with no device there: each join goes up, until the ban is lifted."""
    await in_and_gone(scene)
    await scene.judge.affiliate(scene.me, "outcast")
    await refused_then_let_in(scene, "forbidden", "none")


@judged("F15", "J15", "L10", kinds=("remote",), alone=True)
async def f15_password_and_restart(scene: JudgedScene) -> None:
    """After a restart a second device joins at once without the password, which stands in no log."""
    await scene.judge.configure(passwordprotectedroom="1", roomsecret="cauldron-secret")
    phone = await scene.phone()
    await phone.join(scene.room, "me", "<password>cauldron-secret</password>")
    await scene.until_stored(IN)
    await scene.restart(killed=True)
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me")
    await laptop.say("back")
    await scene.sees_one("me", laptop)


@judged("F26", "K2", "L10", kinds=("remote",), alone=True)
async def f26_put_out_unseen(scene: JudgedScene) -> None:
    """Membership is withdrawn while no device is there, and the server restarts: nobody tries to come back."""
    # ejabberd lets a former member into a moderated room again: it has kept the role
    await scene.judge.configure(membersonly="1", moderatedroom="0")
    await scene.judge.affiliate(scene.me, "member")
    await in_and_gone(scene)
    await scene.judge.affiliate(scene.me, "none")
    await scene.until_stored(OUT)
    await scene.restart(killed=True)
    await refused_then_let_in(scene, "registration-required", "member")
