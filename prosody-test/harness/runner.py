"""Runs the stories, several at a time, and reports."""

import asyncio
import time
import traceback
from dataclasses import dataclass

from client.person import Person
from client.raw import Unexpected
from harness.puppet import ScriptedScene
from harness.scene import ChannelScene, ComparedScene, JudgedScene
from harness.story import Form, Story
from harness.transcript import Normaliser, difference
from lab import guests
from lab.lab import WITHOUT, Lab

AT_ONCE = 12
STORY_TIMEOUT_S = 90


@dataclass
class Outcome:
    story: Story
    kind: str
    seconds: float
    failure: str | None


async def run_all(labs: list[Lab], stories: list[Story], module_host: str, kinds: set[str]) -> list[Outcome]:
    """Runs each story for those of its rooms that are of these kinds.

    Those that need their servers for themselves run one after the other, in each lab, and in the first after all others.
    `module_host` may be a host without the module, to test the harness.
    """
    pairs = [(story, kind) for story in stories for kind in story.kinds if kind in kinds]
    together = [pair for pair in pairs if not pair[0].alone]
    alone = iter([pair for pair in pairs if pair[0].alone])
    slots = asyncio.Semaphore(AT_ONCE)

    async def run(lab: Lab, story: Story, kind: str) -> Outcome:
        outcome = await _run_one(lab, story, kind, module_host)
        _print(outcome)
        return outcome

    async def in_slot(story: Story, kind: str) -> Outcome:
        async with slots:
            return await run(labs[0], story, kind)

    async def in_turn(lab: Lab) -> list[Outcome]:
        return [await run(lab, story, kind) for story, kind in alone]

    async def first() -> list[Outcome]:
        return await asyncio.gather(*(in_slot(*pair) for pair in together)) + await in_turn(labs[0])

    outcomes = await asyncio.gather(first(), *(in_turn(lab) for lab in labs[1:]))
    return [outcome for some in outcomes for outcome in some]


def _print(outcome: Outcome) -> None:
    word = "ok  " if outcome.failure is None else "FAIL"
    print(f"{word} {outcome.story.title} {outcome.kind} {outcome.seconds:.1f}s", flush=True)
    if outcome.failure:
        print("\n".join(f"    {line}" for line in outcome.failure.splitlines()), flush=True)


async def _run_one(lab: Lab, story: Story, kind: str, module_host: str) -> Outcome:
    start = time.monotonic()
    try:
        async with asyncio.timeout(STORY_TIMEOUT_S):
            failure = await _tell(lab, story, kind, module_host)
    except (AssertionError, Unexpected) as error:
        failure = _where(error)
    except TimeoutError:
        failure = f"not done after {STORY_TIMEOUT_S} s"
    except Exception:  # a mistake in the harness is a failure too, and must not end the run
        failure = traceback.format_exc()
    return Outcome(story, kind, time.monotonic() - start, failure)


def _where(error: BaseException) -> str:
    """The line of the story, and what was wrong there."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.name}, line {frame.lineno}: {frame.line}" for frame in frames if "/stories/" in frame.filename]
    return "\n".join([*lines, *getattr(error, "__notes__", []), str(error)])


async def _tell(lab: Lab, story: Story, kind: str, module_host: str) -> str | None:
    """Returns what differs, for a compared story; raises what else is wrong."""
    match story.form:
        case Form.COMPARED:
            stock_host = guests.stock(story.host) if story.host else WITHOUT
            return await _compare(lab, story, kind, stock_host, story.host or module_host)
        case Form.JUDGED:
            await _play(JudgedScene(lab, story.name, kind, story.host or module_host), story)
        case Form.SCRIPTED:
            await _play(ScriptedScene(lab, story.name, kind, story.host or module_host), story)
        case Form.GATEWAY:
            await _play(ChannelScene(lab, story.name, kind, module_host), story)
    return None


async def _compare(lab: Lab, story: Story, kind: str, stock_host: str, module_host: str) -> str | None:
    # The scenes have names of their own even if both are on the same host.
    stock = ComparedScene(lab, f"{story.name}-stock", kind, stock_host)
    ours = ComparedScene(lab, f"{story.name}-ours", kind, module_host)
    results = await asyncio.gather(_record(stock, story), _record(ours, story), return_exceptions=True)
    for scene, result in zip((stock, ours), results, strict=True):
        if isinstance(result, BaseException):
            result.add_note(f"on {scene.host}:")
            raise result
    return difference(*results) or None


async def _record(scene: ComparedScene, story: Story) -> list[str]:
    await _play(scene, story)
    normaliser = Normaliser(scene.labels(), scene.known_ids(), story.ignored_codes, scene.is_ejabberd)
    return [line for person in scene.recorded for line in _transcript(person, normaliser)]


def _transcript(person: Person, normaliser: Normaliser) -> list[str]:
    name = person.account.partition("-")[0]
    return [f"==== {name}/{person.jid.rpartition('/')[2]} received:", *normaliser.lines(person.received)]


async def _play(scene: ComparedScene | JudgedScene | ScriptedScene | ChannelScene, story: Story) -> None:
    try:
        await scene.prepare()
        await story.tell(scene)
    finally:
        await scene.end()
