"""One account with two devices in rooms with a judge, who all talk while a fault is done to their servers."""

import asyncio
import contextlib
import itertools
import time

from client import xml
from client.raw import Unexpected
from fault.pair import FAR, Pair
from fault.room_log import WATCHED, Line
from fault.row import Figures, Row
from fault.talker import Talker

PERIOD_S = 0.2  # five messages a second in all
ALONE_PERIOD_S = 0.4  # of the judge, if nobody else is there: shorter than any start of a server
LEAST_AFTER_S = 3  # what comes late may come twice
SETTLING_S = 10


class World:
    def __init__(self, pair: Pair, row: Row, host: str):
        self.row = row
        tag = host.partition(".")[0]
        self.rooms = [f"room-{tag}-{number}@{row.service}" for number in range(row.rooms)]
        account = f"me-{tag}@{host}"
        self.judge = Talker(pair.side(FAR), f"judge-{tag}@{FAR}", f"judge-{tag}", "judge", self.rooms)
        self.phone = Talker(pair.side(host), account, f"phone-{tag}", WATCHED, self.rooms)
        self.laptop = Talker(pair.side(host), account, f"laptop-{tag}", WATCHED, self.rooms)
        self.devices = [self.phone, self.laptop]
        self._ended_at = 0.0
        self._after: dict[str, list[str]] = {room: [] for room in self.rooms}  # what the judge said after the fault
        self._seen_by_judge = Figures()
        self._talk: asyncio.Task | None = None

    # ---- before ----

    async def prepare(self) -> None:
        await self.judge.arrive()
        for device in self.devices:
            await device.arrive()
        if self.row.is_deserted:
            for device in self.devices:
                await device.go()
        self.go_on_talking()

    def go_on_talking(self) -> None:
        self._talk = self._talk or asyncio.create_task(self._talking())

    async def stop_talking(self) -> None:
        if self._talk:
            self._talk.cancel()
            await asyncio.gather(self._talk, return_exceptions=True)
            self._talk = None

    async def _talking(self) -> None:
        talkers = [self.judge] if self.row.is_deserted else [self.judge, *self.devices]
        turns = itertools.cycle(talkers)
        rooms = itertools.cycle(self.rooms)
        while True:
            talker = next(turns)
            room = next(rooms)
            if talker.can_speak(room):
                self._say(talker, room)
            await asyncio.sleep(ALONE_PERIOD_S if self.row.is_deserted else PERIOD_S)

    def _say(self, talker: Talker, room: str) -> None:
        body = talker.say(room)
        if talker is self.judge and self._ended_at:
            self._after[room].append(body)

    async def fault_begins(self) -> None:
        if self.row.is_silent:
            await self.stop_talking()
            await self._settle()  # nothing is under way either
        self.judge.rejoins = not self.row.is_brief
        for talker in (self.judge, *self.devices):
            for log in talker.logs.values():
                log.watch()

    # ---- after ----

    async def fault_is_over(self) -> None:
        """Goes on until all is as it was, or the row's time is over."""
        self._ended_at = time.monotonic()
        self.go_on_talking()
        try:
            async with asyncio.timeout(self.row.after_s):
                if not self.row.is_brief:
                    await self._judge_speaks()
                await asyncio.sleep(LEAST_AFTER_S)
                while not self._is_well():
                    await asyncio.sleep(PERIOD_S)
        except TimeoutError:
            pass
        await self.stop_talking()
        self._seen_by_judge = self._of_presence()
        if self.row.is_deserted:
            await self._wake()

    async def _judge_speaks(self) -> None:
        """Says something in each room, so that each shows when it is well again."""
        if self.row.judge_returns:
            self.judge.start_anew()
        await self.judge.in_all_rooms()
        for room in self.rooms:
            self._say(self.judge, room)

    def _is_well(self) -> bool:
        if self.row.is_brief:
            return all(log.told for device in self.devices for log in device.logs.values())
        if self.row.is_deserted:
            return all(log.there_since for log in self.judge.logs.values()) and self._judge_was_heard()
        return self._back_after() is not None and not any(self._missing(device) for device in self.devices)

    def _judge_was_heard(self) -> bool:
        return all(self.judge.logs[room].shown.keys() & bodies for room, bodies in self._after.items())

    def _missing(self, device: Talker) -> bool:
        """Whether something that it said has no answer, or something that the judge was shown has not come."""
        seen = [self.judge.logs, device.logs]
        said = device.said.values()
        unanswered = (s for s in said if not s.refused and not any(s.body in logs[s.room].shown for logs in seen))
        unseen = (room for room in self.rooms if self.judge.logs[room].shown.keys() - device.logs[room].shown.keys())
        return any(unanswered) or any(unseen)

    async def _wake(self) -> None:
        """The devices come online, one with a join that asks for history, the other with a look into the archive."""
        self.phone.asks_history = True
        for device in self.devices:
            for log in device.logs.values():
                log.joined.clear()
            async with asyncio.timeout(SETTLING_S):
                await device.arrive()

    # ---- figures ----

    async def figures(self) -> Figures:
        if self.row.is_brief:
            return await self._figures_of_a_room_that_is_gone()
        await self._settle()
        archives = {room: await self.judge.archive(room) for room in self.rooms}
        figures = self._of_messages(archives)
        figures.told, figures.anew = self._sum("told"), self._sum("anew")
        seen = self._seen_by_judge
        figures.leaves, figures.joins, figures.seconds = seen.leaves, seen.joins, seen.seconds
        return figures

    def _of_presence(self) -> Figures:
        logs = self.judge.logs.values()
        leaves, joins = (sum(getattr(log, name) for log in logs) for name in ("leaves", "joins"))
        return Figures(leaves=leaves, joins=joins, seconds=self._back_after())

    def _sum(self, name: str) -> int:
        return sum(getattr(log, name) for device in self.devices for log in device.logs.values())

    async def _settle(self) -> None:
        """Waits until all that was said is answered, as far as anybody answers, and shown."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLING_S):
                for log in (log for device in self.devices for log in device.logs.values()):
                    await log.is_sorted.wait()
        for talker in (self.judge, *self.devices):
            if talker.is_online:
                for room in self.rooms:
                    try:
                        await talker.query(room, xml.DISCO_INFO)
                    except (TimeoutError, Unexpected):
                        break

    def _of_messages(self, archives: dict[str, list[Line]]) -> Figures:
        figures = Figures(lost=0, twice=0, disordered=0, silent=0, refused=0)
        for room, lines in archives.items():
            places = {line.body: place for place, line in enumerate(lines)}
            figures.twice += len(lines) - len(places)
            for device in self.devices:
                log = device.logs[room]
                figures.lost += len(places.keys() - log.shown.keys())
                figures.twice += log.twice
                figures.disordered += _disordered([places[body] for body in log.shown if body in places])
                mine = [said for said in device.said.values() if said.room == room]
                figures.refused += sum(said.refused is not None for said in mine)
                figures.silent += sum(not said.refused and said.body not in places for said in mine)
        return figures

    async def _figures_of_a_room_that_is_gone(self) -> Figures:
        """A room that was made anew counts as a join."""
        [room] = self.rooms
        refused = sum(said.refused is not None for device in self.devices for said in device.said.values())
        answer = await self.judge.query(room, xml.DISCO_INFO)
        is_there = answer.get("type") == "result"
        return Figures(refused=refused, anew=self._sum("anew"), told=self._sum("told"), joins=int(is_there))

    def _back_after(self) -> float | None:
        """Seconds until every device heard the judge in every room, and was heard.

        If nobody was there, until the judge saw the account in every room.
        """
        if self.row.is_deserted:
            since = [log.there_since for log in self.judge.logs.values()]
            times = [None if at is None else max(0, at - self._ended_at) for at in since]
        else:
            times = [self._heard(device, room) for device in self.devices for room in self.rooms]
            times += [self._was_heard(device) for device in self.devices]
        return None if None in times else max(times)

    def _heard(self, device: Talker, room: str) -> float | None:
        heard = device.logs[room].heard
        times = [heard[body] for body in self._after[room] if body in heard]
        return min(times) - self._ended_at if times else None

    def _was_heard(self, device: Talker) -> float | None:
        """The first of its words after the fault that it was shown itself."""
        for said in device.said.values():
            at = device.logs[said.room].heard.get(said.body)
            if said.at >= self._ended_at and at is not None:
                return at - self._ended_at
        return None

    async def end(self) -> None:
        await self.stop_talking()
        for talker in (self.judge, *self.devices):
            await talker.end()


def _disordered(places: list[int]) -> int:
    """How many come after one that they stand before."""
    furthest = list(itertools.accumulate(places, max))
    return sum(place < far for place, far in zip(places, furthest, strict=True))
