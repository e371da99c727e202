"""Bookmarks have the account join rooms, and hold it there (XEP-0402); clients publish them by PEP or as private XML."""

from client import xml
from client.person import Person
from client.xml import Element
from harness.scene import JudgedScene
from harness.story import check, judged

PUBSUB = "http://jabber.org/protocol/pubsub"
BOOKMARKS = "urn:xmpp:bookmarks:1"
OPTIONS = {
    "FORM_TYPE": f"{PUBSUB}#publish-options",
    "pubsub#persist_items": "true",
    "pubsub#max_items": "max",
    "pubsub#send_last_published_item": "never",
    "pubsub#access_model": "whitelist",
}
HELD = '"autojoin":true'  # in a record
LOGIN_S = 45  # the account waits 30 s for clients that join by themselves


async def set_in_own_account(device: Person, payload: str) -> None:
    answer = await device.query("set", device.account, payload)
    check(answer.get("type") == "result", f"the server takes it: {xml.text(answer)}")


async def publish(device: Person, room: str, autojoin: bool = True, extensions: str = "") -> None:
    """As clients of today do."""
    fields = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in OPTIONS.items())
    inside = f"<nick>me</nick><extensions>{extensions}</extensions>" if extensions else "<nick>me</nick>"
    bookmark = f"<conference xmlns='{BOOKMARKS}' autojoin='{str(autojoin).lower()}'>{inside}</conference>"
    published = f"<publish node='{BOOKMARKS}'><item id='{room}'>{bookmark}</item></publish>"
    form = f"<publish-options><x xmlns='jabber:x:data' type='submit'>{fields}</x></publish-options>"
    await set_in_own_account(device, f"<pubsub xmlns='{PUBSUB}'>{published}{form}</pubsub>")


async def write_private(device: Person, *rooms: str) -> None:
    """As old clients do: the whole list at once (XEP-0049)."""
    listed = "".join(f"<conference jid='{room}' autojoin='1'><nick>me</nick></conference>" for room in rooms)
    storage = f"<storage xmlns='storage:bookmarks'>{listed}</storage>"
    await set_in_own_account(device, f"<query xmlns='jabber:iq:private'>{storage}</query>")


async def judge_sees(scene: JudgedScene, type: str | None = None, timeout: float = 15) -> Element:
    """Waits until the judge is shown that the account comes, or goes."""
    return await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type=type), timeout)


async def session_finds_it_there(scene: JudgedScene) -> None:
    """A session that joins is shown the room, and nobody sees anybody come or go."""
    await scene.judge.say("before anybody looks")
    await scene.arrived()
    laptop = await scene.laptop()
    came = await laptop.join(scene.room, "me", "<history maxstanzas='5'/>")
    said = [stanza.findtext(xml.CLIENT + "body") for stanza in came]
    check("before anybody looks" in said, f"what was said meanwhile is there: {said}")
    gone = [stanza for stanza in await scene.judge_saw(laptop) if stanza.get("type") == "unavailable"]
    check(not gone, f"the judge sees a leave: {[xml.text(stanza) for stanza in gone]}")
    scene.check_one_occupant("me")


@judged("B5")
async def bookmark_is_published(scene: JudgedScene) -> None:
    """Published while the account is out it brings the account in, as somebody who is away, and holds it."""
    phone = await scene.phone()
    await publish(phone, scene.room)
    came = await judge_sees(scene)
    check(came.findtext(xml.CLIENT + "show") == "xa", f"nobody is there: {xml.text(came)}")
    scene.check_one_occupant("me")
    await scene.until_stored(HELD)
    await session_finds_it_there(scene)


@judged("B5", kinds=("local",))
async def bookmark_of_no_room(scene: JudgedScene) -> None:
    """A room that is not there is not made; one that is published after it is joined."""
    phone = await scene.phone()
    missing = f"missing-{scene.room}"
    await publish(phone, missing)
    await publish(phone, scene.room)
    await judge_sees(scene)
    answer = await scene.judge.query("get", missing, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    check(xml.condition(answer) == "item-not-found", f"nobody has made that room: {xml.text(answer)}")


@judged("B7", kinds=("remote",))
async def bookmark_of_an_old_client(scene: JudgedScene) -> None:
    """Private XML does the same, and a list that is emptied and written anew lets nothing go."""
    phone = await scene.phone()
    await write_private(phone, scene.room)
    await judge_sees(scene)
    await scene.until_stored(HELD)
    await write_private(phone)
    await write_private(phone, scene.room)
    await session_finds_it_there(scene)
    check(HELD in scene.stored(), f"it is held: {scene.stored()}")


@judged("B5", "L1", kinds=("remote",))
async def bookmark_and_a_leave(scene: JudgedScene) -> None:
    """A leave by the last session leaves, whatever the bookmark says; a bookmark published anew brings the account back."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await publish(phone, scene.room)
    await phone.leave()
    await judge_sees(scene, "unavailable")
    await publish(phone, scene.room)
    await judge_sees(scene)
    scene.check_one_occupant("me")


@judged("B8", kinds=("remote",), alone=True)
async def bookmark_at_a_login(scene: JudgedScene) -> None:
    """One that was there before the module brings the account in at its next login, and not before."""
    phone = await scene.phone()
    async with scene.without_module():
        await publish(phone, scene.room)
    await phone.stop()
    scene.people.remove(phone)
    await scene.arrived()
    scene.check_no_occupant()
    await scene.laptop()
    await judge_sees(scene, timeout=LOGIN_S)
    scene.check_one_occupant("me")
