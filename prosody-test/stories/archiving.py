"""The account's archive (XEP-0313) with the messages of rooms that have none: XEP-0313 §4.1.4, XEP-0359."""

from client import xml
from client.archive import Page, all_pages, asks, page
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.guests import ARCHIVED, ARCHIVED_ALL

STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
LINES = 250  # before a restart, and as many after it


async def says_some(judge: Person, lines: list[str]) -> None:
    for line in lines:
        judge.send_message(line)
    await judge.expect(xml.message(body=lines[-1]))


@judged("A1", "A2", "A4", kinds=("remote",), alone=True, host=ARCHIVED)
async def archive_while_the_phone_is_gone(scene: JudgedScene) -> None:
    """A phone is gone for 500 messages, and its server restarts meanwhile: each is there once, and in order."""
    await scene.judge.stop_archiving()
    phone, laptop = await scene.phone(), await scene.laptop()
    for device in (phone, laptop):
        await device.join(scene.room, "me")
    seen = await scene.judge.say("before") and await phone.expect(xml.message(body="before"))
    last = next(child.get("id") for child in seen if child.tag == STANZA_ID and child.get("by") == phone.account)
    await phone.close()
    lines = [f"line {number}" for number in range(LINES)]
    await says_some(scene.judge, lines)
    await laptop.expect(xml.message(body=lines[-1]))
    await laptop.say("own")
    await scene.restart()
    more = [f"more {number}" for number in range(LINES)]
    await says_some(scene.judge, more)
    await scene.arrived()
    phone = await scene.phone()
    pages = await all_pages(phone, after_id=last)
    found = [body for a_page in pages for body in a_page.bodies]
    check(found == [*lines, "own", *more], f"each once and in order: {len(found)} {found[:3]} {found[-3:]}")
    ids = [id for a_page in pages for id in a_page.ids]
    check(len(set(ids)) == len(ids), "each has an id of its own")
    none = await asks(phone, page(), groupchat=None)
    check(none.results == [], f"not unless it is asked for: {none.bodies}")


@judged("A1", "A4", "R7", kinds=("remote",), alone=True, host=ARCHIVED)
async def archive_after_the_server_was_killed(scene: JudgedScene) -> None:
    """What was written is there under its ids, though the server was killed while it wrote, and goes on from there."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    lines = [f"line {number}" for number in range(10)]
    await says_some(scene.judge, lines)
    await phone.expect(xml.message(body=lines[-1]))
    before = await asks(phone)
    check(before.bodies == lines, f"each is there: {before.bodies}")
    await scene.until_archived(lines[-1])
    await scene.until_stored('"log":')
    await scene.restart(killed=True, torn=True)
    await scene.judge.say("after the start")
    await scene.arrived()
    phone = await scene.phone()
    after = await asks(phone)
    check(after.bodies == [*lines, "after the start"], f"each is there once: {after.bodies}")
    check(after.ids[: len(lines)] == before.ids, "under the same ids")
    await scene.until_archived("after the start")
    await scene.restart()
    phone = await scene.phone()
    again = await asks(phone)
    check((again.bodies, again.ids) == (after.bodies, after.ids), f"and once more: {again.bodies}")


async def shown_as_archived(scene: JudgedScene, device: Person, lines: list[str]) -> None:
    """Who joins is shown these lines, under the ids that they have in the account's archive."""
    came = await device.join(scene.room, "me", f"<history maxstanzas='{len(lines)}'/>")
    said = [stanza for stanza in came if stanza.findtext(f"{xml.CLIENT}body") is not None]
    shown = [stanza.findtext(f"{xml.CLIENT}body") for stanza in said]
    check(shown == lines, f"each is shown once: {shown}")
    ids = [[child.get("id") for child in stanza if child.get("by") == device.account] for stanza in said]
    archived = [result for a_page in await all_pages(device) for result in zip(a_page.bodies, a_page.ids, strict=True)]
    wanted = [[id for body, id in archived if body == line] for line in lines]
    check(ids == wanted, f"under its one id: {ids} and not {wanted}")


@judged("A4", "H13", kinds=("remote",), alone=True, host=ARCHIVED)
async def archive_ids_of_what_is_shown_later(scene: JudgedScene) -> None:
    """From memory, from the log after the server was killed, and what was said meanwhile."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    lines = [f"line {number}" for number in range(30)]
    await scene.judge.say(lines[0])  # the room is asked whether it has an archive
    await phone.expect(xml.message(body=lines[0]))
    await phone.drain(scene.room)
    await says_some(scene.judge, lines[1:])
    await phone.expect(xml.message(body=lines[-1]))
    await shown_as_archived(scene, await scene.laptop(), lines)
    await scene.until_stored('"log":')
    await scene.until_archived(lines[-1])
    meanwhile = [f"unheard {number}" for number in range(10)]
    async with scene.deaf():
        await says_some(scene.judge, meanwhile)
    await scene.judge.say("heard")  # at its first message the room is asked for what came before
    await scene.until_logged(f"the gap of {scene.me} in {scene.room} is filled")
    await scene.until_archived(meanwhile[-1])
    await shown_as_archived(scene, await scene.laptop(), [*lines, *meanwhile, "heard"])


@judged("A2", "A3", "A4", "A6", kinds=("remote", "local"), host=ARCHIVED)
async def archive_is_asked(scene: JudgedScene) -> None:
    """Whatever is asked of the archive holds over messages of both kinds."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    friend = await scene.person("friend")
    for number in range(6):
        await scene.judge.say(f"room {number}")
        await phone.expect(xml.message(body=f"room {number}"))
        await scene.settle(phone)
        friend.send_message(f"chat {number}", to=phone.account)
        await phone.expect(xml.message(body=f"chat {number}"))
        await scene.settle(phone)
    said = [f"{kind} {number}" for number in range(6) for kind in ("room", "chat")]
    whole = await asks(phone)
    check(whole.bodies == said and whole.is_complete, f"both kinds in order of receipt: {whole.bodies}")
    ids = dict(zip(said, whole.ids, strict=True))
    seen = next(stanza for stanza in phone.received if xml.message(body="room 3")(stanza))
    live = [child.get("id") for child in seen if child.tag == STANZA_ID and child.get("by") == phone.account]
    check(live == [ids["room 3"]], f"the id is that which was shown: {live}")
    check(whole.results[0].find(f".//{{{xml.MUC_USER}}}x") is None, "nothing of the room's own is told")

    async def gives(expected: list[str], inside: str = "", **fields: str) -> None:
        answer = await asks(phone, inside, **fields)
        check(isinstance(answer, Page) and answer.bodies == expected, f"{inside} {fields}: {getattr(answer, 'bodies', answer)}")

    await gives(said[:4], page(4))
    await gives(said[-4:], page(4, before=""))
    await gives(said[-4:][::-1], page(4, before="") + "<flip-page/>")
    await gives(said[5:8], page(3, after=ids[said[4]]))
    await gives(said[4:7], page(3, after=ids[said[3]]))
    await gives(said[4:7], page(3, before=ids[said[7]]))
    await gives(said[3:6], page(3, before=ids[said[6]]))
    await gives(said[3:8], after_id=ids[said[2]], before_id=ids[said[8]])
    await gives([line for line in said if line.startswith("room")], **{"with": scene.room})
    await gives([line for line in said if line.startswith("chat")], **{"with": friend.account})
    await gives(["chat 3", "chat 4"], page(2, after=ids["room 3"]), **{"with": friend.account})
    await gives(["room 4", "room 5"], page(2, after=ids["chat 3"]), **{"with": scene.room})
    await gives(["room 4", "room 5"], page(9, after=ids["room 3"]), **{"with": scene.room})
    await gives(["chat 4", "chat 5"], page(9, after=ids["chat 3"]), **{"with": friend.account})
    await gives([], start="2100-01-01T00:00:00Z")
    await gives(said, start="2020-01-01T00:00:00Z", end="2100-01-01T00:00:00Z")
    await gives(["room 2"], ids=ids["room 2"])
    await gives(said, page(10**9))
    counted = await asks(phone, page(0))
    check(counted.count == str(len(said)) and counted.results == [], f"they are counted: {counted.count}")
    for fields in ({"after_id": "nobody"}, {"after_id": "19b76daa800-nobody"}, {"ids": "nobody"}):
        answer = await asks(phone, **fields)
        check(answer == "item-not-found", f"{fields}: {answer}")
    answer = await asks(phone, start="yesterday")
    check(answer == "bad-request", f"a date that is none: {answer}")
    for groupchat in ("false", None):
        answer = await asks(phone, groupchat=groupchat)
        check(answer.bodies == [line for line in said if line.startswith("chat")], f"{groupchat}: {answer.bodies}")
    answer = await asks(phone, page(5, after=ids["room 3"]), groupchat=None)
    check(answer == "item-not-found" or not answer.results, "mod_mam does not know an id of the other kind")
    form = await phone.query("get", phone.account, "<query xmlns='urn:xmpp:mam:2'/>")
    fields = {field.get("var") for field in form.iter(f"{{{xml.DATA}}}field")}
    check({"include-groupchat", "with", "ids", "after-id"} <= fields, f"the form says so: {fields}")
    disco = await phone.query("get", phone.account, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    features = {feature.get("var") for feature in disco.iter("{http://jabber.org/protocol/disco#info}feature")}
    check({"urn:xmpp:mam:2#groupchat-field", "urn:xmpp:mam:2#groupchat-available"} <= features, f"it is advertised: {features}")


@judged("A1", "A2", kinds=("remote",), host=ARCHIVED)
async def archive_outlives_the_room(scene: JudgedScene) -> None:
    """What was said in a room that is destroyed is still there, for whom it was said to and nobody else."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge.say("for one")
    await phone.expect(xml.message(body="for one"))
    other = await scene.device("other", "phone")
    await other.join(scene.room, "other")
    await scene.judge.say("for both")
    for device in (phone, other):
        await device.expect(xml.message(body="for both"))
    await other.leave()
    await scene.judge.say("for one again")
    await phone.expect(xml.message(body="for one again"))
    await scene.judge.destroy("the end")
    await phone.expect(xml.presence(type="unavailable"))
    seen = await asks(phone)
    check(seen.bodies == ["for one", "for both", "for one again"], f"it is still there: {seen.bodies}")
    seen = await asks(other)
    check(seen.bodies == ["for both"], f"nothing of others: {seen.bodies}")


@judged("A1", kinds=("remote", "local"), host=ARCHIVED)
async def archive_of_the_room(scene: JudgedScene) -> None:
    """A room with an archive of its own is left to that."""
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await scene.judge.say("asked meanwhile")
    await phone.expect(xml.message(body="asked meanwhile"))
    await phone.drain(scene.room)
    await scene.judge.say("not logged")
    seen = await phone.expect(xml.message(body="not logged"))
    check(not [child for child in seen if child.get("by") == phone.account], f"no id of ours: {xml.text(seen)}")
    found = await asks(phone)
    check("not logged" not in found.bodies, f"it is not there: {found.bodies}")


async def room_and_friend_say(scene: JudgedScene, phone: Person) -> None:
    """Three messages of a room, by two people, and one of a friend between them."""
    friend, other = await scene.person("friend"), await scene.guest("other")
    for speaker, body in ((scene.judge, "judge 1"), (other, "other"), (scene.judge, "judge 2")):
        await speaker.say(body)
        await phone.expect(xml.message(body=body))
        if body == "other":
            friend.send_message("chat", to=phone.account)
            await phone.expect(xml.message(body="chat"))
        await scene.settle(phone)


@judged("A3", "A4", kinds=("remote", "local"), host=ARCHIVED)
async def archive_is_asked_by_the_letter(scene: JudgedScene) -> None:
    """What XEP-0313 says of stamps, addresses, fields and metadata holds where a query includes rooms."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await room_and_friend_say(scene, phone)
    said = ["judge 1", "other", "chat", "judge 2"]
    whole = await asks(phone)
    check(whole.bodies == said, f"all of it: {whole.bodies}")
    stamps = [result.find(".//{urn:xmpp:delay}delay").get("stamp") for result in whole.results]

    async def gives(expected: list[str] | str, **fields: str) -> None:
        answer = await asks(phone, **fields)
        found = answer.bodies if isinstance(answer, Page) else answer
        check(found == expected, f"{fields}: {found}")

    for number, stamp in enumerate(stamps):
        await gives(said[number:], start=stamp)
        await gives(said[: number + 1], end=stamp)
    await gives([], start=stamps[2], end=stamps[0])
    await gives(["judge 1", "judge 2"], **{"with": f"{scene.room}/judge"})
    await gives([], **{"with": f"{scene.room}/nobody"})
    await gives("bad-request", **{"with": "@@"})
    await gives("bad-request", end="2024-13-45T00:00:00Z")
    await gives("feature-not-implemented", nonsense="x")
    metadata = (await phone.query("get", phone.account, "<metadata xmlns='urn:xmpp:mam:2'/>"))[0]
    told = [(end.get("id"), end.get("timestamp")) for end in metadata]
    check(told == [(whole.ids[0], stamps[0]), (whole.ids[-1], stamps[-1])], f"first and last: {told}")


@judged("A1", "A8", "R2", kinds=("remote", "local"), host=ARCHIVED)
async def archive_as_the_account_wants(scene: JudgedScene) -> None:
    """Hints, preferences, blocked people and rooms: what is not wanted is not told, and is there when it is wanted again."""
    await scene.judge.stop_archiving()
    phone = await scene.phone()
    await phone.join(scene.room, "me")
    await room_and_friend_say(scene, phone)
    for hint in ("no-store", "no-permanent-store"):
        await scene.judge.say(hint, f"<{hint} xmlns='urn:xmpp:hints'/>")
    await scene.judge.set_subject("Tea")
    await scene.settle(phone)
    said = ["judge 1", "other", "chat", "judge 2"]

    async def told(expected: list[str], why: str) -> None:
        found = (await asks(phone)).bodies
        check(found == expected, f"{why}: {found}")

    async def sets(payload: str) -> None:
        answer = await phone.query("set", phone.account, payload)
        check(answer.get("type") == "result", xml.text(answer))

    async def is_blocked(jid: str, meanwhile: list[str]) -> None:
        for word, expected in (("block", meanwhile), ("unblock", said)):
            await sets(f"<{word} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{word}>")
            await told(expected, f"{word} {jid}")

    async def prefers(default: str, expected: list[str], **rooms: str) -> None:
        lists = "".join(f"<{word}><jid>{room}</jid></{word}>" for word, room in rooms.items())
        await sets(f"<prefs xmlns='urn:xmpp:mam:2' default='{default}'>{lists}</prefs>")
        await told(expected, f"{default} {rooms}")

    await told(said, "hints are heard, a subject is none")
    await is_blocked(f"{scene.room}/judge", ["other", "chat"])
    await prefers("always", ["chat"], never=scene.room)
    await prefers("never", said, always=scene.room)
    await prefers("never", ["chat"])
    await prefers("always", said)
    await scene.judge.affiliate(phone.account, "outcast")
    await phone.expect(xml.presence(type="unavailable"))
    await told(said, "banned")
    await is_blocked(scene.room, ["chat"])


@judged("A1", "A4", "A5", kinds=("remote", "local"), host=ARCHIVED_ALL)
async def archive_of_all_rooms(scene: JudgedScene) -> None:
    """A room with an archive of its own is logged too where that is wanted: live messages have both ids."""
    phone, laptop = await scene.phone(), await scene.laptop()
    for device in (phone, laptop):
        await device.join(scene.room, "me")
    await scene.judge.say("theirs")
    await phone.say("ours")
    seen = [await device.expect(xml.message(body="ours")) for device in (laptop, scene.judge)]
    ids = [{child.get("by"): child.get("id") for child in stanza if child.tag == STANZA_ID} for stanza in seen]
    check(set(ids[0]) == {scene.room, phone.account} and set(ids[1]) == {scene.room}, f"both ids, for us alone: {ids}")
    check(ids[0][scene.room] == ids[1][scene.room], f"the room's is the same: {ids}")
    found = await asks(phone)
    check(found.bodies == ["theirs", "ours"], f"each is there once: {found.bodies}")
    check(found.ids[1] == ids[0][phone.account], f"under the id that was shown: {found.ids}")
    kept = found.results[1].find(f".//{STANZA_ID}[@by='{scene.room}']")
    check(kept is not None and kept.get("id") == ids[0][scene.room], "and with the room's")
