"""What people have reported from the field, with a room that does as it is told: F1 to F28 of docs/xep-map.md."""

from client import xml
from client.person import Person
from client.xml import Element, Match
from harness.puppet import GOT, JOIN, ScriptedScene
from harness.story import check, scripted
from stories.avatars import HASH, OTHER_PHOTO, PHOTO
from stories.scripted import SELF_PING

UPDATE = Match(lambda stanza: stanza.tag == xml.CLIENT + "presence" and stanza.get("type") is None, "a presence")


def own(stanzas: list[Element]) -> list[str | None]:
    """The ids of the self-presences."""
    return [stanza.get("id") for stanza in stanzas if "110" in xml.codes(stanza)]


async def two_in(scene: ScriptedScene, crowd: int = 0) -> tuple[Person, Person, Element]:
    """Two devices in a room with so many others; and the account's join."""
    phone, laptop = await scene.phone(), await scene.laptop()
    join = await scene.asked_in(phone)
    await scene.emit("".join(scene.presence(f"{scene.room}/person{n}", join.get("from")) for n in range(crowd)))
    await scene.let_in(join)
    await phone.joined()
    await laptop.join(scene.room, "me")
    return phone, laptop, join


async def reflect(scene: ScriptedScene, presence: Element) -> None:
    """Answers a presence of the account as a room does."""
    nick = presence.get("to").partition("/")[2]
    more = "".join(xml.text(child) for child in presence if child.tag.startswith(xml.CLIENT))
    await scene.emit(
        scene.presence(f"{scene.room}/{nick}", presence.get("from"), ("110",), presence.get("id"), more=more)
    )


@scripted("F1", "J5", "J13", "J2")
async def f1_its_own_answer(scene: ScriptedScene) -> None:
    """Each device waits for the answer to its own join, and gets it; also when it asks again in a big room."""
    phone, laptop = await scene.phone(), await scene.laptop()
    first = phone.send_join(scene.room, "me")
    join = await scene.got(JOIN)
    second = laptop.send_join(scene.room, "me")
    await laptop.drain()
    await scene.emit("".join(scene.presence(f"{scene.room}/person{n}", join.get("from")) for n in range(300)))
    await scene.let_in(join)
    check(own(await phone.joined()) == [first], "the phone's own id")
    check(own(await laptop.joined()) == [second], "the laptop's own id")
    third = laptop.send_join(scene.room, "me")
    update = phone.send_presence("<show>away</show>")
    came = await laptop.joined()
    check(own(came) == [third] and len(came) == 303, f"all of the room under the new id: {len(came)}")
    check((await phone.expect(xml.presence(status={"110"}))).get("id") == update, "the phone's own update")
    check(not [stanza for stanza in await laptop.drain() if stanza.get("id") == update], "which is not the laptop's")


@scripted("F2", "N4", "N2")
async def f2_nick_change_never_answered(scene: ScriptedScene) -> None:
    """The room takes the new nick and says nothing: a self-ping finds out, and both devices are told."""
    phone, laptop, join = await two_in(scene)
    phone.send_presence("", "ally")
    await scene.got(xml.presence())
    ping = await scene.got(SELF_PING)
    check(ping.get("to") == f"{scene.room}/ally", f"asks {ping.get('to')}")
    await scene.answer(ping)
    for device in (phone, laptop):
        await device.expect(xml.presence(type="unavailable", status={"303", "110"}))
        await device.expect(xml.presence(sender=f"{scene.room}/ally", status={"110"}))
        device.nick = "ally"
    check((await laptop.ping(laptop.occupant_jid)).get("type") == "result", "in under the new nick")
    await scene.emit(scene.message(f"{scene.room}/other", join.get("from"), "<body>ally: hi</body>"))
    await laptop.expect(xml.message(body="ally: hi"))


def roster(stanzas: list[Element]) -> set[str]:
    """Who is there, as a client would know it."""
    present: set[str] = set()
    for stanza in stanzas:
        if stanza.tag == xml.CLIENT + "presence" and xml.item(stanza) is not None:
            change = present.discard if stanza.get("type") == "unavailable" else present.add
            change(stanza.get("from"))
    return present


@scripted("F13", "J2", "M3")
async def f13_speaking_during_the_replay(scene: ScriptedScene) -> None:
    """While a big room is being shown others speak, rename and leave, and both devices speak."""
    phone, laptop, join = await two_in(scene, crowd=300)
    await laptop.leave()
    account, bob = join.get("from"), f"{scene.room}/person0"
    before = len(laptop.received)
    laptop.send_join(scene.room, "me", "<history maxchars='0'/>")
    mine = laptop.send_message("from the laptop")
    phone.send_message("from the phone")
    await laptop.expect(xml.presence())
    renamed = scene.presence(
        bob, account, ("303",), type="unavailable", item="affiliation='none' role='participant' nick='bobby'"
    )
    await scene.emit(
        "".join(scene.message(bob, account, f"<body>{number}</body>") for number in range(5))
        + renamed
        + scene.presence(f"{scene.room}/bobby", account)
        + "".join(scene.presence(f"{scene.room}/person{n}", account, type="unavailable") for n in range(1, 11))
    )
    came = await laptop.joined()
    check(not any(xml.kind(stanza) == "message" for stanza in came[:-1]), "nothing before the subject but occupants")
    said = [await scene.got(xml.message(type="groupchat")) for _ in range(2)]
    check({stanza.get("id") for stanza in said} >= {mine}, "what the laptop said goes up")
    live = await scene.drain(laptop)
    bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in live if xml.kind(stanza) == "message"]
    check(bodies == [str(number) for number in range(5)], f"each message once, in order: {bodies}")
    await scene.drain(phone)
    there, here = roster(phone.received), roster(laptop.received[before:])
    check(there == here and len(here) == 292, f"{len(here)} and {len(there)} occupants: {there ^ here}")


@scripted("F19", "N10", "N7")
async def f19_blinking_avatar(scene: ScriptedScene) -> None:
    """One device knows nothing of avatars; whichever stands for the account, the room sees the same picture."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.query("set", phone.account, PHOTO)
    phone.send_join(scene.room, "me", beside="<x xmlns='vcard-temp:x:update'/>")
    join = await scene.got(JOIN)
    await scene.let_in(join)
    await phone.joined()
    hashes = {join.findtext(HASH)}
    laptop.send_join(scene.room, "me", beside="<x xmlns='vcard-temp:x:update'><photo/></x>")
    await laptop.joined()
    await answer_updates(scene, phone)
    seen = []
    for show in ("away", "xa", "dnd"):
        for device in (phone, laptop):
            device.send_presence(f"<show>{show}</show><x xmlns='vcard-temp:x:update'><photo/></x>")
            seen += await answer_updates(scene, device)
    hashes |= {presence.findtext(HASH) for presence in seen}
    check(seen, "the room was shown something at all")
    check(len(hashes) == 1 and not hashes & {None, ""}, f"and one picture: {hashes}")
    await phone.query("set", phone.account, OTHER_PHOTO)
    changed = await answer_updates(scene, phone)
    check(len(changed) == 1 and changed[0].findtext(HASH) not in hashes, "the new one once")


async def answer_updates(scene: ScriptedScene, device: Person) -> list[Element]:
    """Reflects the presences that have come since the last time, as the device finds them answered."""
    id = device.send_query("get", scene.room, xml.DISCO_INFO)
    got = Match(lambda stanza: stanza.find(f"{GOT}/{xml.CLIENT}iq") is not None, "the query")
    came = [stanza.find(GOT)[0] for stanza in await scene.handler.until(got) if stanza.find(GOT) is not None]
    asked = came.pop()
    updates = [stanza for stanza in came if UPDATE(stanza)]
    for presence in updates:
        await reflect(scene, presence)
    await scene.answer(asked)
    await device.expect(xml.answer(id))
    return updates


@scripted("F24", "M2", "M4", "M5")
async def f24_other_ids(scene: ScriptedScene) -> None:
    """The room gives messages ids of its own: each message comes once to each, and an error finds its sender."""
    phone, laptop, join = await two_in(scene)
    for device in (phone, laptop):
        device.send(f"<message type='groupchat' id='m1' to='{scene.room}'><body>{device.jid}</body></message>")
        said = await scene.got(xml.message(type="groupchat"))
        head = f"xmlns='jabber:client' type='groupchat' id='of-the-room' from='{scene.room}/me' to='{join.get('from')}'"
        await scene.emit(f"<message {head}><body>{said.findtext(xml.CLIENT + 'body')}</body></message>")
    for device in (phone, laptop):
        bodies = [stanza.findtext(xml.CLIENT + "body") for stanza in await scene.drain(device)]
        check(bodies == [phone.jid, laptop.jid], f"{device.jid} got {bodies}")
    laptop.send(f"<message type='groupchat' id='m1' to='{scene.room}'><body>refused</body></message>")
    await scene.got(xml.message(body="refused"))
    head = f"xmlns='jabber:client' type='error' id='m1' from='{scene.room}' to='{join.get('from')}'"
    await scene.emit(f"<message {head}>{xml.error('auth', 'forbidden')}</message>")
    await laptop.expect(xml.message(id="m1", type="error"))
    check(not [s for s in await scene.drain(phone) if s.get("type") == "error"], "not the other one's error")


@scripted("F28", "N7")
async def f28_away_by_turns(scene: ScriptedScene) -> None:
    """Two devices go away and come back in turns: the room hears of it when the better one changes."""
    phone, laptop, _ = await two_in(scene)
    for _ in range(5):
        for device in (phone, laptop):
            for show in ("<show>away</show>", ""):
                id = device.send_presence(show)
                echo = await device.expect(xml.presence(sender=f"{scene.room}/me"))
                check(echo.get("id") == id, "its own echo")
                check((echo.findtext(xml.CLIENT + "show") or "") == ("away" if show else ""), "with its own show")
    updates = await answer_updates(scene, phone)
    check(not any(stanza.findtext(xml.CLIENT + "show") for stanza in updates), "one was available all the time")
    for device in (phone, laptop):
        device.send_presence("<show>away</show>")
        await device.drain()
    away = await answer_updates(scene, phone)
    check([stanza.findtext(xml.CLIENT + "show") for stanza in away] == ["away"], "both are away")
    await phone.close()
    updates += away + await answer_updates(scene, laptop)
    check(len(updates) <= 3, f"{len(updates)} presences: {[xml.text(stanza) for stanza in updates]}")
