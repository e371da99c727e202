"""A phone comes back to a room in which much has been said, and a server was restarted: XEP-0045 §7.2.14, XEP-0313."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from client import xml
from client.archive import MAM, RSM, all_pages, page
from client.person import Person
from harness.scene import JudgedScene
from harness.story import check, judged
from lab.guests import ARCHIVED
from stories.archiving import STANZA_ID, says_some
from stories.history import bodies

LINES = 250  # before a restart, and as many after it
DOWN = 10  # while the account's server hears nothing: fewer than a room shows of its history
SHOWN = 20  # to who says nothing of history

Disturbance = Callable[[JudgedScene], Awaitable[list[str]]]


def lines_of(name: str, count: int) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


@dataclass
class Gone:
    """A phone that is gone, while a laptop is in."""

    laptop: Person
    since: str
    last: str  # what the archive calls the last message that the phone has seen: the room's, if it has one


async def phone_goes(scene: JudgedScene, is_logged: bool = True) -> Gone:
    phone, laptop = await scene.phone(), await scene.laptop()
    for device in (phone, laptop):
        await device.join(scene.room, "me")
    await scene.judge.say("before")
    seen = [await device.expect(xml.message(body="before")) for device in (phone, laptop)][0]
    ids = {child.get("by"): child.get("id") for child in seen if child.tag == STANZA_ID}
    await scene.until_stored('"log":' if is_logged else '"stanza_id":')
    await phone.close()
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Gone(laptop, since, ids.get(scene.room) or ids[phone.account])


async def many_are_said(
    scene: JudgedScene, laptop: Person, disturbance: Disturbance, is_logged: bool = False
) -> list[str]:
    """Returns what the phone has missed. What is logged is written before the disturbance: a log is written behind."""
    first, more = lines_of("line", LINES), lines_of("more", LINES)
    await says_some(scene.judge, first)
    await laptop.expect(xml.message(body=first[-1]))
    await laptop.say("own")
    if is_logged:
        await scene.until_archived(first[-1])
    meanwhile = await disturbance(scene)
    await says_some(scene.judge, more)
    await scene.arrived()
    return [*first, "own", *meanwhile, *more]


async def own_server_stopped(scene: JudgedScene) -> list[str]:
    await scene.restart()
    return []


async def own_server_killed(scene: JudgedScene) -> list[str]:
    """What the room has said meanwhile its history has: at its first message it is asked for that."""
    lines = lines_of("unheard", DOWN)
    async with scene.deaf():
        await says_some(scene.judge, lines)
    await scene.judge.say("heard")
    lines.append("heard")
    await scene.until_logged(f"the gap of {scene.me} in {scene.room} is filled")
    return lines


async def service_stopped(scene: JudgedScene) -> list[str]:
    await service_disturbed(scene, killed=False)
    return []


async def service_killed(scene: JudgedScene) -> list[str]:
    await service_disturbed(scene, killed=True)
    return []


async def service_disturbed(scene: JudgedScene, killed: bool) -> None:
    async def is_doubted() -> None:
        await scene.until_logged(f"{scene.service} may be out of reach")

    await scene.restart_remote(is_doubted, killed)
    scene.judge = await scene.guest("judge")
    if "me" not in scene.occupants():
        await scene.judge.expect(xml.presence(sender=f"{scene.room}/me"))


def check_once(found: list[str], missed: list[str], who: str) -> None:
    """Each is there once, and in order but for what was heard late."""
    lost = [line for line in missed if line not in found]
    twice = sorted({line for line in found if found.count(line) > 1})
    check(not lost and not twice and len(found) == len(missed), f"{who}: lost {lost[:5]} twice {twice[:5]} of {len(found)}")
    in_order = [line for line in found if not line.startswith("unheard")]
    check(in_order == [line for line in missed if not line.startswith("unheard")], f"{who}: in order")


async def comes_back(scene: JudgedScene, disturbance: Disturbance) -> None:
    """Into a room without an archive: by `since`, by the account's archive, and without a word."""
    await scene.judge.stop_archiving()
    await scene.judge.configure(persistentroom="1")  # a server that is killed remembers how it is configured
    gone = await phone_goes(scene)
    missed = await many_are_said(scene, gone.laptop, disturbance, is_logged=True)
    phone = await scene.phone()
    came = bodies(await phone.join(scene.room, "me", f"<history since='{gone.since}'/>"))
    check_once(came, missed, "since")
    check(came == missed, "in the order of the room")
    pages = await all_pages(phone, after_id=gone.last)
    check_once([body for page in pages for body in page.bodies], missed, "the account's archive")
    tablet = await scene.device("me", "tablet")
    came = bodies(await tablet.join(scene.room, "me"))
    check(came == missed[-SHOWN:], f"the newest and no more: {came}")
    more = [*bodies(await phone.drain(scene.room)), *bodies(await tablet.drain(scene.room))]
    check(not more, f"nothing comes once more: {more}")


@judged("H13", "A1", "A4", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_after_own_restart(scene: JudgedScene) -> None:
    await comes_back(scene, own_server_stopped)


@judged("H13", "H14", "A1", "A4", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_after_own_death(scene: JudgedScene) -> None:
    await comes_back(scene, own_server_killed)


@judged("H13", "K8", "A4", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_after_service_restart(scene: JudgedScene) -> None:
    await comes_back(scene, service_stopped)


@judged("H13", "K8", "A4", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_after_service_death(scene: JudgedScene) -> None:
    await comes_back(scene, service_killed)


async def room_archive_after(person: Person, last: str) -> list[str | None]:
    """What the room's archive has after that message, page by page, as a client asks it that is in."""
    found: list[str | None] = []
    while True:
        queryid = person.new_id("room-archive")
        query = f"<query xmlns='urn:xmpp:mam:2' queryid='{queryid}'>{page(after=last)}</query>"
        fin = (await person.query("set", person.room, query)).find(f"{MAM}fin")
        check(fin is not None, "the room's archive answers")
        results = [stanza.find(f"{MAM}result") for stanza in person.received]
        found += [result.findtext(f".//{xml.CLIENT}body") for result in results if result is not None and result.get("queryid") == queryid]
        if fin.get("complete") == "true":
            return [body for body in found if body is not None]
        last = fin.findtext(f"{RSM}set/{RSM}last")


async def reads_the_archive(scene: JudgedScene, disturbance: Disturbance) -> None:
    """Into a room with an archive, which the phone asks once it is in; and without a word."""
    gone = await phone_goes(scene, is_logged=False)
    missed = await many_are_said(scene, gone.laptop, disturbance)
    phone = await scene.phone()
    await phone.join(scene.room, "me", "<history maxstanzas='0'/>")
    check_once(await room_archive_after(phone, gone.last), missed, "the room's archive")
    tablet = await scene.device("me", "tablet")
    came = bodies(await tablet.join(scene.room, "me"))
    check(came == missed[-SHOWN:], f"the newest and no more: {came}")
    desk = await scene.device("me", "desk")
    came = bodies(await desk.join(scene.room, "me", f"<history since='{gone.since}'/>"))
    check_once(came, missed, "since")


@judged("H13", "I8", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_to_an_archive_after_own_restart(scene: JudgedScene) -> None:
    await reads_the_archive(scene, own_server_stopped)


@judged("H13", "H14", "I8", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_to_an_archive_after_own_death(scene: JudgedScene) -> None:
    await reads_the_archive(scene, own_server_killed)


@judged("H13", "I8", "K8", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_to_an_archive_after_service_restart(scene: JudgedScene) -> None:
    await reads_the_archive(scene, service_stopped)


@judged("H13", "I8", "K8", kinds=("remote",), alone=True, host=ARCHIVED)
async def back_to_an_archive_after_service_death(scene: JudgedScene) -> None:
    await scene.judge.configure(persistentroom="1")  # a server that is killed remembers how it is configured
    await reads_the_archive(scene, service_killed)
