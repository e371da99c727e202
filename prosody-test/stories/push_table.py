"""Push (XEP-0357), cell by cell: how often a phone is told of each kind of message, by the rule and by where it is.

Below the table: of what it is never told.
"""

from client import xml
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.guests import PUSHED
from stories.archiving import says_some
from stories.pushing import KINDS, PLAIN, Service, falls_asleep, kinds_of_messages, said_by_me, service_of, two_with_services, whisper

# In this order the phone comes to be there. The laptop is awake, but where nobody is: there it is told as the phone is.
PUSHES = """
rule        phone        plain  mention  reply  encrypted
always      awake          0       0       0        0
always      hibernating    1       1       1        1
always      ended          1       1       1        1
always      nobody         1       1       1        1
on-mention  awake          0       0       0        0
on-mention  hibernating    0       1       1        1
on-mention  ended          0       1       1        1
on-mention  nobody         0       1       1        1
never       awake          0       0       0        0
never       hibernating    0       0       0        0
never       ended          0       0       0        0
never       nobody         0       0       0        0
"""
ROWS = [line.split() for line in PUSHES.strip().splitlines()[1:]]


async def goes_to(scene: JudgedScene, phone: Person, laptop: Person, state: str) -> None:
    match state:
        case "hibernating":
            await falls_asleep(scene, phone)
        case "ended":
            await phone.resume()
            await phone.drain(scene.room)
            await phone.close()
        case "nobody":
            await laptop.close()


async def wakes_the_service(scene: JudgedScene, service: Service, due: list[str]) -> None:
    """For one that hibernates, what comes within a second is told as one: a whisper, which is always told, ends it."""
    for body in due:
        told = await service.next()
        check(told == body, f"the phone is told {told} and not {body}")
    whisper(scene)
    told = await service.next()
    check(told == "psst", f"the phone is told {told} and not of the whisper")


async def told(scene: JudgedScene, rule: str) -> None:
    phone, laptop, of_phone, of_laptop = await two_with_services(scene, rule)
    kinds = kinds_of_messages(await said_by_me(scene, phone))
    for _, state, *counts in [row for row in ROWS if row[0] == rule]:
        await goes_to(scene, phone, laptop, state)
        for (text, extra), count in zip(kinds.items(), counts, strict=True):
            body = f"{text} ({state})"
            due = [body] * int(count)
            await scene.judge.say(body, extra)
            if state == "hibernating":
                await wakes_the_service(scene, of_phone, due)
                due = []
            await of_phone.is_told(*due)
            await of_laptop.is_told(*(due if state == "nobody" else []))


@judged("U1", "U2", "U3", "U4", "U5", kinds=KINDS, host=PUSHED)
async def push_always(scene: JudgedScene) -> None:
    await told(scene, "always")


@judged("U1", "U2", "U3", "U4", "U5", kinds=KINDS, host=PUSHED)
async def push_on_mention(scene: JudgedScene) -> None:
    await told(scene, "on-mention")


@judged("U1", "U2", "U3", "U5", kinds=KINDS, host=PUSHED)
async def push_never(scene: JudgedScene) -> None:
    await told(scene, "never")


async def happens_without_being_said(scene: JudgedScene, laptop: Person, subject: str) -> None:
    """A subject, what the account says itself, and errors for what it says."""
    await scene.judge.set_subject(subject)
    await laptop.say("own")
    laptop.send_message("nobody hears it", to=f"{scene.room}/nobody")
    await laptop.expect(xml.message(type="error"))
    await scene.judge.command("<item nick='me' role='visitor'/>")
    laptop.send_message("may not be said")
    await laptop.expect(xml.message(type="error"))
    await scene.judge.command("<item nick='me' role='participant'/>")


@judged("U1", "U6", "P8", kinds=KINDS, host=PUSHED)
async def push_of_no_news(scene: JudgedScene) -> None:
    """Subject, reflection and errors are not told, whether the phone hibernates or has ended; nor is a history."""
    phone, laptop, service, _ = await two_with_services(scene, "always")
    await falls_asleep(scene, phone)
    await happens_without_being_said(scene, laptop, "Tea")
    whisper(scene)
    check(await service.next() == "psst", "the first of which it is told")
    await phone.resume()
    await phone.drain(scene.room)
    await phone.close()
    await happens_without_being_said(scene, laptop, "Coffee")
    await service.is_told()
    for body in ("one", "two"):
        await scene.judge.say(body)
    await service.is_told("one", "two")
    await laptop.leave()
    await scene.judge.expect(xml.presence(sender=f"{scene.room}/me", type="unavailable"))
    await laptop.join(scene.room, "me")
    await service.is_told()
    await scene.judge.say(PLAIN)
    await service.is_told(PLAIN)


@judged("U1", "U6", "H14", kinds=("remote",), alone=True, host=PUSHED)
async def push_of_no_gap(scene: JudgedScene) -> None:
    """What was said while the server was down is not told when it is heard of; what is said then is."""
    _, _, service, _ = await two_with_services(scene, "always")
    await scene.judge.say("before")
    await scene.until_stored('"stanza_id":')
    async with scene.deaf():
        await says_some(scene.judge, ["unheard 1", "unheard 2"])
    laptop = await scene.laptop()
    await laptop.join(scene.room, "me", "<history maxstanzas='50'/>")
    check(any(xml.message(body="unheard 2")(stanza) for stanza in laptop.received), "it is heard of")
    await service.is_told()
    await scene.judge.say(PLAIN)
    await service.is_told(PLAIN)


@judged("U1", kinds=("slow",), host=PUSHED)
async def push_of_no_excluded_room(scene: JudgedScene) -> None:
    """The laptop is in by itself, the phone has ended."""
    phone, laptop = await scene.phone(), await scene.laptop()
    service = await service_of(scene, phone, "phone-service")
    for device in (phone, laptop):
        await device.join(scene.room, "me")
    await phone.close()
    await scene.judge.say("Me?")
    await laptop.expect(xml.message(body="Me?"))
    await service.is_told()
    await laptop.close()
    await scene.judge.say("Me?")
    await service.is_told()
