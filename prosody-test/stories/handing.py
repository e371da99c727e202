"""From the sessions to the account and back: adoption (X5) and hand-back (X4), and nobody in the room sees a leave."""

from client import xml
from client.person import Person
from client.xml import Element
from harness.scene import JudgedScene
from harness.story import check, judged
from stories.devices import two_devices
from stories.disturbed import joins_by_itself


def messages(stanzas: list[Element]) -> list[str | None]:
    return [stanza.findtext(xml.CLIENT + "body") for stanza in stanzas if xml.kind(stanza) == "message"]


async def all_hear_once(scene: JudgedScene, words: str, *devices: Person) -> None:
    """The judge speaks to all and to one, each device speaks; every one that is in gets each message once."""
    await scene.settle(*devices, scene.judge)
    await scene.judge.say(words)
    for device in devices:
        check(messages(await device.drain(scene.room)).count(words) == 1, f"{device.jid} gets it once: {words}")
    for speaker in devices:
        said = f"{words}, says {speaker.jid}"
        speaker.send_message(said)
        for device in devices:
            await device.expect(xml.message(body=said))
    for device in devices:
        check(not messages(await device.drain(scene.room)), f"{device.jid} gets nothing twice")


async def no_leave(scene: JudgedScene, *devices: Person) -> None:
    saw = await scene.judge_saw(*devices)
    leaves = [xml.text(stanza) for stanza in saw if stanza.get("type") == "unavailable"]
    check(not leaves, f"the judge sees a leave: {leaves}")
    check(scene.occupants(), "the judge sees somebody")


async def check_occupant(scene: JudgedScene, *real_jids: str) -> None:
    """Asks the room itself who is in for the account: it does not tell when one of several of a nick goes.

    ejabberd names only one of those that share a nick.
    """
    came = await scene.judge.join(scene.room, "judge", "<history maxstanzas='0'/>")
    shown = next(stanza for stanza in came if stanza.get("from") == f"{scene.room}/me")
    seen = {item.get("jid") for item in shown.iterfind(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}item")}
    expected = set(real_jids)
    is_right = len(seen) == 1 and seen <= expected if scene.is_ejabberd else seen == expected
    check(is_right, f"the room has {seen} and not {real_jids}")


async def sees_nothing(scene: JudgedScene, outside: Person) -> None:
    await outside.drain()
    came = [xml.text(stanza) for stanza in outside.received if scene.room in stanza.get("from", "")]
    check(not came, f"who never joined sees nothing of the room: {came}")


async def go_on_by_themselves(scene: JudgedScene, phone: Person, laptop: Person, outside: Person, words: str) -> None:
    """The account has left, and its two sessions are in by themselves; nobody has noticed."""
    await scene.settle(phone, laptop, scene.judge)
    await no_leave(scene, phone, laptop)
    await check_occupant(scene, phone.jid, laptop.jid)
    await all_hear_once(scene, words, phone, laptop)
    await sees_nothing(scene, outside)


@judged("X5", "M6", "C1", alone=True)
async def adopted(scene: JudgedScene) -> None:
    """A session that was in by itself joins again: the account takes over, under the same nick."""
    phone, outside = await joins_by_itself(scene), await scene.device("me", "tablet")
    await scene.judge_saw(phone)
    came = await phone.join(scene.room, "me")
    own = [stanza for stanza in came if "110" in xml.codes(stanza)]
    check(len(own) == 1, f"it is shown the room once: {len(own)}")
    await scene.settle(phone, scene.judge)
    await no_leave(scene, phone)
    await check_occupant(scene, scene.me)
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me")
    await all_hear_once(scene, "to the account", phone, laptop)
    await sees_nothing(scene, outside)
    await no_leave(scene, phone, laptop)
    await check_occupant(scene, scene.me)


@judged("R1", "X5", "L2", "M4", alone=True)
async def direct_beside_attached(scene: JudgedScene) -> None:
    """One is in by itself, one through the account: each gets everything once, and its own answers only."""
    phone = await joins_by_itself(scene)
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me")
    await all_hear_once(scene, "to both", phone, laptop)
    for asker, other in ((phone, laptop), (laptop, phone)):
        check((await asker.ping(f"{scene.room}/me")).get("type") == "result", f"{asker.jid} is in")
        asker.send_query("get", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'><item affiliation='owner'/></query>")
        refused = asker.send_message("nobody there", to=f"{scene.room}/nobody")
        await asker.expect(xml.message(id=refused, type="error"))
        check(not await other.drain(scene.room), f"{other.jid} sees nothing of it")
        await asker.drain(scene.room)
    await scene.judge_saw()
    await phone.leave()
    await no_leave(scene, laptop)
    await check_occupant(scene, scene.me)
    await all_hear_once(scene, "to one", laptop)


@judged("X4", "X5", "M6", alone=True)
async def unloaded_and_loaded(scene: JudgedScene) -> None:
    """Each session goes on by itself, and through the account again when it next joins."""
    phone, laptop = await two_devices(scene)
    outside = await scene.device("me", "tablet")
    async with scene.without_module():
        await go_on_by_themselves(scene, phone, laptop, outside, "by themselves")
    await all_hear_once(scene, "loaded again", phone, laptop)
    for device in (phone, laptop):
        await device.join(scene.room, "me")
        await scene.settle(device, scene.judge)
    await sees_nothing(scene, outside)
    await outside.join(scene.room, "me")
    await all_hear_once(scene, "in the account", phone, laptop, outside)
    await no_leave(scene, phone, laptop)
    await check_occupant(scene, scene.me)


async def excluded_and_back(scene: JudgedScene, pattern: str) -> None:
    phone, laptop = await two_devices(scene)
    outside = await scene.device("me", "tablet")
    await scene.exclude(pattern)
    try:
        await go_on_by_themselves(scene, phone, laptop, outside, "excluded")
        await outside.join(scene.room, "me")
        await all_hear_once(scene, "all by themselves", phone, laptop, outside)
    finally:
        await scene.exclude()
    for device in (phone, laptop, outside):
        await device.join(scene.room, "me")
        await scene.settle(device, scene.judge)
    await all_hear_once(scene, "in the account again", phone, laptop, outside)
    await no_leave(scene, phone, laptop)
    await check_occupant(scene, scene.me)


@judged("X4", "X5", "R3", alone=True)
async def room_excluded_at_run_time(scene: JudgedScene) -> None:
    await excluded_and_back(scene, scene.room)


@judged("X4", "X5", "R3", kinds=("local", "remote"), alone=True)
async def service_excluded_at_run_time(scene: JudgedScene) -> None:
    await excluded_and_back(scene, scene.service)


@judged("X4", "X5", "R3", kinds=("local", "remote"), alone=True)
async def domain_excluded_at_run_time(scene: JudgedScene) -> None:
    """With a pattern for all services below a domain."""
    await excluded_and_back(scene, "*." + scene.service.partition(".")[2])


@judged("R1", "X5", kinds=("local", "remote"), alone=True)
async def contacts_from_before_the_module(scene: JudgedScene) -> None:
    """A contact that was sent presence looks like a room then; it is none, for no device of the account."""
    async with scene.without_module():
        phone = await scene.phone()
        friend = await scene.person("friend")
        phone.send(f"<presence to='{friend.jid}'><show>dnd</show></presence>")
        await friend.expect(xml.presence(sender=phone.jid))
    laptop = await scene.laptop()
    for device in (phone, laptop):
        device.send(f"<presence to='{friend.jid}'><show>away</show></presence>")
        await friend.expect(xml.presence(sender=device.jid))
        device.send_message("hi", to=friend.jid)
        await friend.expect(xml.message(body="hi", sender=device.jid))
        device.send_query("get", friend.jid, "<query xmlns='urn:example:ask'/>")
        await friend.expect(xml.Match(lambda stanza, of=device.jid: stanza.get("from") == of, "the query"))
        for to in (device.jid, scene.me):
            friend.send_message(f"for {to}", to=to)
            got = await device.expect(xml.message(body=f"for {to}"))
            check(got.get("from") == friend.jid, xml.text(got))
        check((await friend.ping(scene.me)).get("type") == "result", "the server answers for the account")
        friend.send_query("get", device.jid, "<query xmlns='urn:example:ask'/>")
        await device.expect(xml.Match(lambda stanza: stanza.get("from") == friend.jid, "the query"))
        friend.send(f"<presence to='{device.jid}'><show>xa</show></presence>")
        await device.expect(xml.presence(sender=friend.jid))
        friend.send(f"<presence type='unavailable' to='{device.jid}'/>")
        await device.expect(xml.presence(sender=friend.jid, type="unavailable"))
    phone.send(f"<presence type='unavailable' to='{friend.jid}'/>")
    await friend.expect(xml.presence(sender=phone.jid, type="unavailable"))
    await laptop.close()
    await friend.expect(xml.presence(sender=laptop.jid, type="unavailable"))


@judged("X4", "L5", "M13", alone=True)
async def handed_back_while_one_sleeps(scene: JudgedScene) -> None:
    """Its stream is to be resumed: the room hears of it by itself too, and it misses nothing."""
    phone, laptop = await two_devices(scene, managed=True)
    await phone.drop()
    await scene.judge.say("before")
    async with scene.without_module():
        await scene.settle(laptop, scene.judge)
        await scene.judge.say("after")
        await laptop.drain(scene.room)
        await phone.resume()
        heard = messages(await phone.drain(scene.room))
        check([words for words in heard if words] == ["before", "after"], f"it hears {heard}")
        await check_occupant(scene, phone.jid, laptop.jid)
        await all_hear_once(scene, "awake", phone, laptop)
        await no_leave(scene, phone, laptop)
