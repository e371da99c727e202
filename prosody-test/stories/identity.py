"""Who the account is to the room, and what of a message is the sender's: the same with one device or many."""

from xml.etree.ElementTree import Element

from client import xml
from harness.scene import JudgedScene
from harness.story import check, judged

OCCUPANT_ID = "{urn:xmpp:occupant-id:0}occupant-id"
ORIGIN_ID = "{urn:xmpp:sid:0}origin-id"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


def occupant_ids(stanza: Element) -> list[str | None]:
    return [child.get("id") for child in stanza.findall(OCCUPANT_ID)]


@judged("X1")
async def occupant_id_is_the_accounts(scene: JudgedScene) -> None:
    """One device or two, one stay or the next: the room's occupant-id of the account stays, and is all there is."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me")
    alone = occupant_ids((await scene.judge_saw(phone))[-1])
    check(len(alone) == (0 if scene.is_ejabberd else 1), f"the room gives {alone}")
    came = await laptop.join(scene.room, "me")
    check(occupant_ids(xml.self_presence(came)) == alone, "the second device is shown the same")
    await laptop.say("from the laptop")
    heard = await scene.judge.expect(xml.message(body="from the laptop"))
    check(occupant_ids(heard) == alone, "what either says has the same")
    await phone.leave()
    await laptop.leave()
    await phone.join(scene.room, "again")  # another nick: the leave that waits goes first
    check(occupant_ids((await scene.judge_saw(phone, laptop))[-1]) == alone, "so has the next stay")


@judged("X2", "X3", "A7")
async def ids_are_left_alone(scene: JudgedScene) -> None:
    """The ids of a message stay the sender's; what only the room or the account's server may give does not go up."""
    phone, laptop = await scene.phone(), await scene.laptop()
    came = await phone.join(scene.room, "me")
    real = occupant_ids(xml.self_presence(came))
    await laptop.join(scene.room, "me")
    forged = "<origin-id xmlns='urn:xmpp:sid:0' id='mine'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
    sent = await phone.say("signed", extra=f"{forged}<stanza-id xmlns='urn:xmpp:sid:0' by='{scene.me}' id='forged'/>")
    for witness in (laptop, scene.judge):
        heard = await witness.expect(xml.message(body="signed"))
        origin = [child.get("id") for child in heard.findall(ORIGIN_ID)]
        by = [child.get("by") for child in heard.findall(STANZA_ID)]
        check(scene.me not in by, f"stanza-ids by {by}")
        check(heard.get("id") == sent.get("id") and origin == ["mine"], f"its ids: {xml.text(heard)}")
        if not scene.is_ejabberd:
            check(occupant_ids(heard) == real, f"the room's occupant-id: {xml.text(heard)}")
