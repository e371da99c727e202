"""Push (XEP-0357): of what a phone is notified that is away, by each rule, and of what it is not."""

from collections.abc import Awaitable, Callable

from client import xml
from client.person import Person
from client.xml import Element
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.guests import PUSH, PUSHED
from stories.bookmarks import PUBSUB, publish
from stories.invitations import invited_once, send_invitation

KINDS = ("local", "remote")
BODY = ".//{jabber:x:data}field[@var='last-message-body']/{jabber:x:data}value"
NOTIFY = "urn:xmpp:notification-settings:1"
ENCRYPTED = (
    "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>"
    "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>c2VjcmV0</payload></encrypted>"
)
PLAIN, MENTION, ANSWER, SECRET = "tea?", "tea, Me?", "yes, tea", "this is secret"


class Service:
    """A push service of one device, and what it is told."""

    def __init__(self, scene: JudgedScene, person: Person):
        self.scene, self.person = scene, person

    async def next(self) -> str | None:
        return (await self.person.expect(xml.message(sender=PUSH))).findtext(BODY)

    async def news(self) -> list[str | None]:
        """All that it has been told since it was last asked, of what has been said by now and does not have to wait."""
        await self.scene.arrived(beyond=PUSH)
        came = await self.person.drain(PUSH)
        return [stanza.findtext(BODY) for stanza in came if xml.message(sender=PUSH)(stanza)]

    async def is_told(self, *expected: str) -> None:
        news = await self.news()
        check(news == list(expected), f"{self.person.jid} is told {news} and not {list(expected)}")


async def service_of(scene: JudgedScene, device: Person, name: str) -> Service:
    service = Service(scene, await scene.person(name))
    enable = f"<enable xmlns='urn:xmpp:push:0' jid='{PUSH}' node='{service.person.jid}'/>"
    answer = await device.query("set", device.account, enable)
    check(answer.get("type") == "result", f"push is enabled: {xml.text(answer)}")
    return service


async def in_room(scene: JudgedScene, managed: bool = False) -> tuple[Person, Service]:
    """A phone that is alone in the room, and its push service."""
    phone = await scene.phone(managed=managed)
    service = await service_of(scene, phone, "phone-service")
    await phone.join(scene.room, "me")
    await scene.sees_one("me", phone)
    return phone, service


async def said_by_me(scene: JudgedScene, phone: Person) -> str:
    """Something that others can answer, and the room's id of it."""
    said = await phone.say("who is there")
    seen = await scene.judge.expect(xml.message(body="who is there"))
    check(said is not None, "it is shown")
    id = next((child.get("id") for child in seen if child.tag == "{urn:xmpp:sid:0}stanza-id"), seen.get("id"))
    return id or ""


def kinds_of_messages(reply_to: str) -> dict[str, str]:
    """What somebody says, and what else is in it: a plain line, a mention, a reply, and one that is encrypted."""
    reply = f"<reply xmlns='urn:xmpp:reply:0' id='{reply_to}'/>"
    return {PLAIN: "", MENTION: "", ANSWER: reply, SECRET: ENCRYPTED}


def whisper(scene: JudgedScene) -> None:
    scene.judge.send_message("psst", to=f"{scene.room}/me")


async def two_with_services(scene: JudgedScene, rule: str) -> tuple[Person, Person, Service, Service]:
    """A phone, a laptop and their push services; the account wants to be told so of the room, in which both are."""
    phone, laptop = await scene.phone(managed=True), await scene.laptop()
    services = [await service_of(scene, phone, "phone-service"), await service_of(scene, laptop, "laptop-service")]
    await publish(phone, scene.room, extensions=f"<notify xmlns='{NOTIFY}'><{rule}/></notify>")
    for device in (phone, laptop):
        await device.join(scene.room, "me")
    await scene.sees_one("me", phone, laptop)
    return phone, laptop, services[0], services[1]


async def falls_asleep(scene: JudgedScene, phone: Person) -> None:
    """All that has come is acknowledged: what is not mod_cloud_notify would push."""
    await phone.drain(scene.room)
    await phone.acknowledge()
    await phone.drop()


@judged("U3", "P4", "B1", "U1", kinds=KINDS, host=PUSHED)
async def push_whisper_and_invitation(scene: JudgedScene) -> None:
    """Nobody is there: a whisper and an invitation are pushed once each, and are there for who comes."""
    phone, service = await in_room(scene)
    await phone.close()
    whisper(scene)
    check(await service.next() == "psst", "the whisper is pushed")
    send_invitation(scene.judge, scene.me)
    await service.next()
    await scene.judge.say(PLAIN)  # a room is told of that has not said yet what it is
    await service.is_told(PLAIN)
    came = await scene.arriving("phone")
    await came.expect(xml.message(body="psst"))
    await invited_once(came)


@judged("U3", "P4", "P3", kinds=KINDS, host=PUSHED)
async def push_whisper_once(scene: JudgedScene) -> None:
    """A whisper for a phone that hibernates is pushed once, also when its stream is given up and it is stored."""
    phone, service = await in_room(scene, managed=True)
    await falls_asleep(scene, phone)
    whisper(scene)
    check(await service.next() == "psst", "it is pushed")
    later = await scene.arriving("phone")  # under the same name: what waited for the old stream is stored, or given to it
    await later.expect(xml.message(body="psst"))
    await later.close()
    await told_next(scene, service)


async def told_next(scene: JudgedScene, service: Service) -> None:
    """Nobody is there, and the next thing of which the phone is told is what somebody writes to the account."""
    scene.judge.send_message("are you there?", to=scene.me)
    told = await service.next()
    check(told == "are you there?", f"the phone is told again: {told}")


async def told_of_the_end(scene: JudgedScene, end: Callable[[], Awaitable[None]], words: str) -> None:
    phone, service = await in_room(scene)
    await phone.close()
    await end()
    told = await service.next()
    check(told == words, f"it is pushed: {told}")
    await scene.arrived()
    await told_next(scene, service)


@judged("U7", kinds=KINDS, host=PUSHED)
async def push_ban(scene: JudgedScene) -> None:
    await told_of_the_end(
        scene, lambda: scene.judge.affiliate(scene.me, "outcast"), "You have been banned from this room."
    )


@judged("U7", kinds=KINDS, host=PUSHED)
async def push_destroyed(scene: JudgedScene) -> None:
    await told_of_the_end(scene, lambda: scene.judge.destroy("done"), "This room has been destroyed.")


@judged("U7", kinds=KINDS, host=PUSHED)
async def push_lost_membership(scene: JudgedScene) -> None:
    await scene.judge.affiliate(scene.me, "member")
    await scene.judge.configure(membersonly="1")
    await told_of_the_end(
        scene, lambda: scene.judge.affiliate(scene.me, "none"), "You are no longer a member of this room."
    )


@judged("U7", kinds=KINDS, host=PUSHED)
async def push_members_only(scene: JudgedScene) -> None:
    """The room lets only members in from then on."""
    await told_of_the_end(
        scene, lambda: scene.judge.configure(membersonly="1"), "This room is for members only now."
    )


@judged("U5", kinds=KINDS, host=PUSHED)
async def push_without_a_rule(scene: JudgedScene) -> None:
    """An open room tells of mentions alone. One that becomes one for members is not asked twice on a day."""
    phone, service = await in_room(scene)
    await scene.judge.say("the room is asked what it is")
    await scene.settle(scene.judge, phone)
    await phone.close()
    await scene.judge.say(PLAIN)
    await service.is_told()
    await scene.judge.say(MENTION)
    await service.is_told(MENTION)


@judged("U5", kinds=KINDS, host=PUSHED)
async def push_members(scene: JudgedScene) -> None:
    """A room for members only tells of all."""
    await scene.judge.affiliate(scene.me, "member")
    await scene.judge.configure(membersonly="1")
    phone, service = await in_room(scene)
    await phone.close()
    for body in (PLAIN, MENTION):
        await scene.judge.say(body)
        await service.is_told(body)


@judged("U6", "A9", kinds=KINDS, host=PUSHED)
async def push_not_of_what_is_read(scene: JudgedScene) -> None:
    """The laptop says within the second what it has shown (XEP-0490): the phone, which hibernates, is not told of it."""
    phone, laptop, service, _ = await two_with_services(scene, "always")
    await falls_asleep(scene, phone)
    scene.judge.send_message(PLAIN)
    seen = await laptop.expect(xml.message(body=PLAIN))
    by_room = next(child for child in seen if child.tag == "{urn:xmpp:sid:0}stanza-id")
    await displayed(laptop, scene.room, by_room)
    whisper(scene)
    check(await service.next() == "psst", "it has been read")


async def displayed(device: Person, room: str, stanza_id: Element) -> None:
    id = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{room}' id='{stanza_id.get('id')}'/>"
    item = f"<item id='{room}'><displayed xmlns='urn:xmpp:mds:displayed:0'>{id}</displayed></item>"
    publication = f"<publish node='urn:xmpp:mds:displayed:0'>{item}</publish>"
    answer = await device.query("set", device.account, f"<pubsub xmlns='{PUBSUB}'>{publication}</pubsub>")
    check(answer.get("type") == "result", f"it is published: {xml.text(answer)}")
