"""Queries: of the room, of occupants, and what occupants ask the account (XEP-0045 §17.4)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from client import xml
from client.person import Person
from client.xml import Element, Match
from harness.scene import ComparedScene, JudgedScene
from harness.story import check, compared, judged
from lab.lab import BOUNCING
from stories.devices import two_devices

VERSION = "jabber:iq:version"
MAM = "urn:xmpp:mam:2"
RESULT = f"{{{MAM}}}result"
UNANSWERED_S = 40

IS_QUESTION = Match(
    lambda stanza: xml.kind(stanza) == "iq" and stanza.get("type") in ("get", "set"), "a question"
)


def archive_query(queryid: str) -> str:
    return f"<query xmlns='{MAM}' queryid='{queryid}'/>"


# ---- what the sessions ask ----


@compared("I7", "J24", "I9")
async def queries_of_the_room(scene: ComparedScene) -> None:
    """Features, occupants, the reserved nick and the registration, before and after joining, and nonsense."""
    bob = await scene.owner()
    for _ in range(2):
        await scene.me.query("get", scene.room, xml.DISCO_INFO)
        await scene.me.query("get", scene.room, f"<query xmlns='{xml.DISCO}' node='x-roomuser-item'/>")
        await scene.me.query("get", scene.room, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
        await scene.me.query("get", scene.room, "<query xmlns='jabber:iq:register'/>")
        await scene.me.query("get", scene.room, "<nonsense xmlns='urn:example:nonsense'/>")
        await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'><item affiliation='member'/></query>")
        await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_OWNER}'/>")
        await scene.me.join(scene.room, "me")
        await scene.settle(bob, scene.me)


@compared("I7", "J24")
async def registration(scene: ComparedScene) -> None:
    """Registers a nick with the room from within, asks for it, and takes it back."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    form = xml.form("http://jabber.org/protocol/muc#register", {"muc#register_roomnick": ["me"]})
    await scene.me.query("set", scene.room, f"<query xmlns='jabber:iq:register'>{form}</query>")
    await scene.settle(bob, scene.me)
    await scene.me.query("get", scene.room, f"<query xmlns='{xml.DISCO}' node='x-roomuser-item'/>")
    await scene.me.query("set", scene.room, "<query xmlns='jabber:iq:register'><remove/></query>")
    await scene.settle(bob, scene.me)


@compared("I7", "I6", "M9")
async def administration(scene: ComparedScene) -> None:
    """As an owner: the form, the lists, an affiliation, a role, a command that is refused, and the room's end."""
    bob = await scene.owner()
    carol = await scene.guest("carol")
    await bob.affiliate(scene.me.account, "owner")
    await scene.me.join(scene.room, "me")
    await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_OWNER}'/>")
    await scene.me.configure(roomname="Ours")
    await scene.me.affiliate(carol.account, "member", "welcome")
    await scene.settle(carol, scene.me)
    for asked in ("affiliation='member'", "affiliation='outcast'", "role='participant'", "role='visitor'"):
        await scene.me.query("get", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'><item {asked}/></query>")
    await scene.me.command("<item nick='carol' role='visitor'/>")
    await scene.settle(carol, scene.me)
    item = "<item nick='nobody' role='visitor'/>"
    await scene.me.query("set", scene.room, f"<query xmlns='{xml.MUC_ADMIN}'>{item}</query>")
    await scene.me.kick("carol", "enough")
    await scene.me.drain(scene.room)


@compared("I11", "I1")
async def pictures_and_lists_of_occupants(scene: ComparedScene) -> None:
    """A vCard of another occupant, of nobody and of the room; disco of an occupant that is not there."""
    bob = await scene.owner()
    await bob.query("set", bob.account, "<vCard xmlns='vcard-temp'><FN>Bob</FN></vCard>")
    vcard = "<vCard xmlns='vcard-temp'/>"
    for _ in range(2):
        for to in (f"{scene.room}/bob", f"{scene.room}/nobody", scene.room):
            await scene.me.query("get", to, vcard)
        await scene.me.query("get", f"{scene.room}/nobody", xml.DISCO_INFO)
        await scene.me.join(scene.room, "me")
        await scene.settle(bob, scene.me)


@compared("I10")
async def rooms_of_the_account(scene: ComparedScene) -> None:
    """Somebody asks the account which rooms it is in, before it joins one and after (XEP-0045 §6.7)."""
    await scene.owner()
    carol = await scene.person("carol")
    scene.recorded.append(carol)
    rooms = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/muc#rooms'/>"
    for _ in range(2):
        answer = await carol.query("get", scene.me.account, rooms)
        check(scene.service not in xml.text(answer), f"no room is named: {xml.text(answer)}")
        await scene.me.join(scene.room, "me")


@compared("I14")
async def service_itself(scene: ComparedScene) -> None:
    """What goes to the service and to no room of it, before joining one and after."""
    await scene.owner()
    for _ in range(2):
        await scene.me.query("get", scene.service, xml.DISCO_INFO)
        await scene.me.ping(scene.service)
        scene.me.send_message("anybody?", to=scene.service)
        scene.me.send(f"<presence id='{scene.me.new_id('presence')}' to='{scene.service}'/>")
        scene.me.send(f"<presence type='unavailable' id='{scene.me.new_id('presence')}' to='{scene.service}'/>")
        await scene.me.query("get", scene.service, xml.DISCO_INFO)
        await scene.me.join(scene.room, "me")
        await scene.me.drain(scene.room)


# ---- the room's archive ----


@judged("F20", "I8")
async def f20_archive_before_and_after_joining(scene: JudgedScene) -> None:
    """A member asks the archive before it joins and after; each result comes to who asked, and once."""
    await scene.judge.affiliate(scene.me, "member")
    await scene.judge.configure(membersonly="1")
    await scene.judge.say("for members")
    phone, laptop = await scene.phone(), await scene.laptop()
    for number in range(3):
        id = phone.send_query("set", scene.room, archive_query(f"q{number}"))
        results = [stanza for stanza in await phone.until(xml.answer(id)) if stanza.find(RESULT) is not None]
        queries = [result.find(RESULT).get("queryid") for result in results]
        check(queries == [f"q{number}"], f"results of {queries}")
        check(not await laptop.drain(scene.room), "the other device sees nothing")
        await (phone if number else laptop).join(scene.room, "me")
        await scene.settle(phone, laptop)


@compared("F20", "I8")
async def f20_archive_for_members_only(scene: ComparedScene) -> None:
    """Who is no member is told what the room says."""
    bob = await scene.owner()
    await bob.configure(membersonly="1")
    await bob.say("for members")
    await scene.me.query("set", scene.room, archive_query("q"))
    await scene.me.drain(scene.room)


# ---- what occupants ask the account ----


async def _answer(device: Person, asked: list[Person]) -> None:
    while True:
        question = await device.expect(IS_QUESTION, timeout=UNANSWERED_S)
        asked.append(device)
        device.answer(question, xml.text(question[0]))


@contextlib.asynccontextmanager
async def answering(*devices: Person) -> AsyncIterator[list[Person]]:
    """Lets these devices answer whatever they are asked; who was asked is noted."""
    asked: list[Person] = []
    tasks = [asyncio.create_task(_answer(device, asked)) for device in devices]
    try:
        yield asked
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


QUESTIONS = {
    "ping": "<ping xmlns='urn:xmpp:ping'/>",
    "vcard": "<vCard xmlns='vcard-temp'/>",
    "time": "<time xmlns='urn:xmpp:time'/>",
    "disco": xml.DISCO_INFO,
    "version": f"<query xmlns='{VERSION}'/>",
}


async def ask_all(scene: JudgedScene) -> dict[str, Element]:
    """The judge asks everything, and is answered once each."""
    ids = {name: scene.judge.send_query("get", f"{scene.room}/me", ask) for name, ask in QUESTIONS.items()}
    is_answer = Match(lambda stanza: stanza.get("id") in ids.values(), "an answer")
    came = [await scene.judge.expect(is_answer, timeout=UNANSWERED_S) for _ in ids]
    answers = {name: next(stanza for stanza in came if stanza.get("id") == id) for name, id in ids.items()}
    check(not [stanza for stanza in await scene.judge.drain(scene.room) if is_answer(stanza)], "and not again")
    check(answers["ping"].get("type") == "result", f"the ping: {xml.text(answers['ping'])}")
    return answers


@judged("F18", "I5")
async def f18_asked_with_devices(scene: JudgedScene) -> None:
    """Two are in, then one, then none, and each question is answered once."""
    phone, laptop = await two_devices(scene)
    async with answering(phone, laptop) as asked:
        answers = await ask_all(scene)
        check(len(asked) == 2 and len(set(asked)) == 1, f"one device answered disco and version: {asked}")
        check(all(answers[name].get("type") == "result" for name in ("disco", "version")), "with a result")
    await laptop.leave()
    async with answering(phone) as asked:
        await ask_all(scene)
        check(asked == [phone, phone], f"the one that is left was asked: {asked}")
    await phone.close()
    await ask_all(scene)
    await scene.settle(scene.judge)
    scene.check_one_occupant("me")


def caps(name: str) -> str:
    return f"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:example:{name}' ver='1'/>"


@judged("F31", "I5")
async def f31_who_is_shown_answers(scene: JudgedScene) -> None:
    """The device whose capabilities the room is shown answers for them, also after the other has asked something."""
    phone, laptop = await scene.phone(), await scene.laptop()
    await phone.join(scene.room, "me", beside=caps("phone"))
    await laptop.join(scene.room, "me", beside=caps("laptop"))
    async with answering(scene.judge):
        await laptop.query("get", f"{scene.room}/judge", f"<query xmlns='{VERSION}'/>")
    for shown in (phone, laptop):
        node = f"urn:example:{shown.jid.rpartition('/')[2]}#1"
        async with answering(phone, laptop) as asked:
            await scene.judge.query("get", f"{scene.room}/me", f"<query xmlns='{xml.DISCO}' node='{node}'/>")
            await scene.judge.query("get", f"{scene.room}/me", f"<query xmlns='{VERSION}'/>")
        check(set(asked) == {shown}, f"{[device.jid for device in asked]} were asked, and {shown.jid} was shown")
        await shown.update(f"<show>away</show>{caps('phone')}")
        await scene.settle(scene.judge)


@judged("F31", "I5")
async def f31_exchanges_stay_with_their_device(scene: JudgedScene) -> None:
    """A stream that one device has opened, and a call that the other has taken, wherever the account is shown."""
    phone, laptop = await two_devices(scene)
    to = f"{scene.room}/me"
    async with answering(scene.judge):
        stream = "xmlns='http://jabber.org/protocol/ibb' sid='stream'"
        opened = await laptop.query("set", f"{scene.room}/judge", f"<open {stream} block-size='4096'/>")
    check(opened.get("type") == "result", f"the judge takes it: {xml.text(opened)}")
    call = "<jingle xmlns='urn:xmpp:jingle:1' action='{}' sid='call'/>"
    async with answering(phone, laptop) as asked:
        await scene.judge.query("set", to, call.format("session-initiate"))
        await scene.judge.query("set", to, f"<data {stream} seq='0'>qANQ</data>")
        await phone.update("<show>away</show>")
        await scene.settle(scene.judge)
        await scene.judge.query("get", to, f"<query xmlns='{VERSION}'/>")
        await scene.judge.query("set", to, call.format("session-terminate"))
    check(asked == [phone, laptop, laptop, phone], f"call, stream, version and call went to {asked}")


@judged("F31", "I5", "L5")
async def f31_asked_asleep(scene: JudgedScene) -> None:
    """The device that is shown sleeps: nothing is said in its name, and it answers when it is back."""
    phone, laptop = await two_devices(scene, managed=True)
    await phone.drop()
    id = scene.judge.send_query("get", f"{scene.room}/me", f"<query xmlns='{VERSION}'/>")
    pong = await scene.judge.ping(f"{scene.room}/me")
    check(pong.get("type") == "result", f"a ping needs nobody: {xml.text(pong)}")
    check(not await laptop.drain(scene.room), "the other one is not asked")
    await phone.resume()
    async with answering(phone):
        answer = await scene.judge.expect(xml.answer(id))
    check(answer.get("type") == "result", f"the answer comes late: {xml.text(answer)}")


@judged("F31", "I5", "L5", host=BOUNCING)
async def f31_asked_and_gone(scene: JudgedScene) -> None:
    """The device that is asked does not come back: then somebody answers in its place."""
    phone, _ = await two_devices(scene, managed=True)
    await phone.drop()
    answer = await scene.judge.query("get", f"{scene.room}/me", f"<query xmlns='{VERSION}'/>")
    check(xml.condition(answer) == "service-unavailable", f"nobody can answer: {xml.text(answer)}")


@judged("F31", "I1")
async def f31_who_was_asked_leaves(scene: JudgedScene) -> None:
    """An occupant leaves without an answer: the device that asked is told."""
    phone, laptop = await two_devices(scene)
    carol = await scene.guest("carol")
    id = phone.send_query("get", carol.occupant_jid, f"<query xmlns='{VERSION}'/>")
    await carol.expect(IS_QUESTION)
    await carol.leave()
    answer = await phone.expect(xml.answer(id))
    check(xml.condition(answer) == "item-not-found", f"nobody is there: {xml.text(answer)}")
    check(not [stanza for stanza in await laptop.drain(scene.room) if xml.kind(stanza) == "iq"], "and nobody else is")


@compared("F39", "I1", "N6")
async def f39_renamed_before_the_answer(scene: ComparedScene) -> None:
    """Somebody is asked something, takes another nick, and answers."""
    bob = await scene.owner()
    await scene.me.join(scene.room, "me")
    id = scene.me.send_query("get", f"{scene.room}/bob", f"<query xmlns='{VERSION}'/>")
    question = await bob.expect(IS_QUESTION)
    await bob.change_nick("bobby")
    bob.answer(question, f"<query xmlns='{VERSION}'><name>bob</name></query>")
    await scene.me.expect(xml.answer(id))
    await scene.settle(bob, scene.me)


@judged("F39", "I5", "N6")
async def f39_renamed_before_it_is_answered(scene: JudgedScene) -> None:
    """Who has asked takes another nick: the answer finds it there."""
    phone, _ = await two_devices(scene)
    id = scene.judge.send_query("get", f"{scene.room}/me", f"<query xmlns='{VERSION}'/>")
    question = await phone.expect(IS_QUESTION)
    await scene.judge.change_nick("justice")
    await phone.expect(xml.presence(sender=f"{scene.room}/justice"))
    phone.answer(question, f"<query xmlns='{VERSION}'/>")
    answer = await scene.judge.expect(xml.answer(id))
    check(answer.get("type") == "result" and answer.get("from") == f"{scene.room}/me", xml.text(answer))
