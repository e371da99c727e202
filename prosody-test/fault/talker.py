"""A client that talks in rooms, comes back when its server does, and notes all that it is shown.

It is what most clients are: after its own connection is lost it joins its rooms anew, asks for no history, and reads
from the room's archive what it has missed. It never looks by itself whether it still is in a room.
"""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from dataclasses import dataclass

from client import xml
from client.raw import RawClient, Unexpected
from client.xml import CLIENT, Element
from fault.pair import Side
from fault.room_log import Line, RoomLog

MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
RENAMED = "303"
ANSWER_S = 10
JOIN_S = 30
AGAIN_S = 1  # between two tries, of which the first was refused
PAGE = 100


@dataclass
class Said:
    room: str
    body: str
    at: float
    refused: str | None = None


class Connection(RawClient):
    """One stream of a talker."""

    def __init__(self, talker: "Talker"):
        super().__init__(talker.side.endpoint, talker.account, talker.resource)
        self.ended = asyncio.Event()
        self._talker = talker

    async def _read(self) -> None:
        try:
            await super()._read()
        finally:
            self.ended.set()
            self._talker.lost_connection()

    def cut(self) -> None:
        self._stream.abort()

    def _take(self, element: Element) -> None:
        super()._take(element)
        if element.tag.startswith(CLIENT):
            self._talker.take(element)


class Talker:
    def __init__(self, side: Side, account: str, resource: str, nick: str, rooms: list[str]):
        self.side = side
        self.account = account
        self.resource = resource
        self.nick = nick
        self.logs = {room: RoomLog() for room in rooms}
        self.said: dict[str, Said] = {}
        self.rejoins = True
        self.asks_history = False  # by its join, and not from the archive
        self._numbers = itertools.count(1)
        self._connection: Connection | None = None
        self._life: asyncio.Task | None = None
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self._found: dict[str, list[Line]] = defaultdict(list)

    # ---- its life ----

    async def arrive(self) -> None:
        """Comes online and joins its rooms; from then on it comes back whenever it can."""
        await self._connect()
        self._life = asyncio.create_task(self._live())
        await self.in_all_rooms()

    async def in_all_rooms(self) -> None:
        for log in self.logs.values():
            await log.joined.wait()

    def start_anew(self) -> None:
        """Drops its connection, and comes back."""
        for log in self.logs.values():
            log.joined.clear()
        self._connection.cut()

    async def go(self) -> None:
        """Closes its connection without leaving a room."""
        await self._end_life()
        if self.is_online:
            await self._connection.close()
        for log in self.logs.values():
            log.joined.clear()

    async def end(self) -> None:
        await self._end_life()
        if self._connection:
            await self._connection.stop()

    async def _end_life(self) -> None:
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
            self._life = None

    @property
    def is_online(self) -> bool:
        return self._connection is not None and not self._connection.ended.is_set()

    async def _live(self) -> None:
        await self._enter_rooms()
        while True:
            await self._connection.ended.wait()
            for log in self.logs.values():
                log.joined.clear()
            while not await self._came_back():
                await asyncio.sleep(AGAIN_S)
            if self.rejoins:
                await self._enter_rooms()

    async def _came_back(self) -> bool:
        """Connects when its server is up, which may go once more meanwhile."""
        await self.side.up.wait()
        try:
            await self._connect()
        except (OSError, Unexpected, TimeoutError):
            return False
        return True

    async def _connect(self) -> None:
        self._connection = Connection(self)
        await self._connection.go_online()

    async def _enter_rooms(self) -> None:
        async with asyncio.TaskGroup() as group:
            for room in self.logs:
                group.create_task(self._enter(room))

    async def _enter(self, room: str) -> None:
        """Joins, as often as it takes, and then reads what it has missed."""
        log = self.logs[room]
        while self.is_online:
            log.joining()
            asks_archive = log.was_in and not self.asks_history
            if asks_archive:
                log.read_archive()
            with contextlib.suppress(TimeoutError, Unexpected):
                if await self._join(room):
                    if asks_archive:
                        log.archive_read(await self._missed(room, log.last_id))
                    return
            await asyncio.sleep(AGAIN_S)

    async def _join(self, room: str) -> bool:
        log = self.logs[room]
        wish = f"since='{log.last_stamp}'" if self.asks_history and log.last_stamp else "maxstanzas='0'"
        x = f"<x xmlns='{xml.MUC}'><history {wish}/></x>"
        answer = await self._ask(room, f"<presence to='{room}/{self.nick}'>{x}</presence>", JOIN_S)
        return answer.get("type") != "error"

    # ---- what it says and asks ----

    def can_speak(self, room: str) -> bool:
        return self.is_online and self.logs[room].joined.is_set()

    def say(self, room: str) -> str:
        body = id = f"{self.resource}-{next(self._numbers)}"
        self.said[id] = Said(room, body, asyncio.get_running_loop().time())
        self._send(f"<message type='groupchat' id='{id}' to='{room}'><body>{body}</body></message>")
        return body

    async def query(self, to: str, payload: str, type: str = "get") -> Element:
        id = f"{self.resource}-query-{next(self._numbers)}"
        return await self._ask(id, f"<iq type='{type}' id='{id}' to='{to}'>{payload}</iq>", ANSWER_S)

    async def archive(self, room: str, after: str | None = None) -> list[Line]:
        """All that the room has archived, or all after one message."""
        lines: list[Line] = []
        while True:
            id = f"{self.resource}-archive-{next(self._numbers)}"
            place = f"<after>{after}</after>" if after else ""
            paging = f"<set xmlns='{RSM}'><max>{PAGE}</max>{place}</set>"
            answer = await self.query(room, f"<query xmlns='{MAM}' queryid='{id}'>{paging}</query>", "set")
            page = self._found.pop(id, [])
            lines += page
            fin = answer.find(f"{{{MAM}}}fin")
            if fin is None:
                raise Unexpected(f"{room} does not show its archive: {xml.text(answer)}")
            if fin.get("complete") == "true" or not page:
                return lines
            after = page[-1].id

    async def _missed(self, room: str, after: str | None) -> list[Line]:
        """What the archive has; nothing, if it does not answer."""
        try:
            return await self.archive(room, after)
        except (TimeoutError, Unexpected):
            return []

    async def _ask(self, key: str, text: str, seconds: float) -> Element:
        """Sends a question; its answer is known by its id, and that of a join by the room."""
        self._answers[key] = asyncio.get_running_loop().create_future()
        self._send(text)
        async with asyncio.timeout(seconds):
            return await self._answers[key]

    def lost_connection(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Unexpected(f"{self.resource} has lost its connection"))
                answer.exception()  # perhaps nobody waits for it any more

    def _send(self, text: str) -> None:
        self._connection.send(text)

    # ---- what it is shown ----

    def take(self, stanza: Element) -> None:
        room, _, nick = (stanza.get("from") or "").partition("/")
        log = self.logs.get(room)
        match xml.kind(stanza):
            case "iq":
                self._answered(stanza.get("id"), stanza)
            case "presence" if log:
                self._presence(log, room, nick, stanza)
            case "message" if log:
                self._message(log, nick, stanza)

    def _answered(self, id: str | None, answer: Element) -> None:
        waiting = self._answers.get(id or "")
        if waiting and not waiting.done() and answer.get("type") in (None, "result", "error"):
            waiting.set_result(answer)

    def _presence(self, log: RoomLog, room: str, nick: str, stanza: Element) -> None:
        is_available = stanza.get("type") is None
        is_own = nick == self.nick or "110" in xml.codes(stanza)
        if stanza.get("type") in (None, "unavailable"):
            log.occupant(nick, is_available)
        if is_available and "110" in xml.codes(stanza):
            log.anew += log.joined.is_set()
            log.entered()
            self._answered(room, stanza)
        elif stanza.get("type") == "error" and not log.joined.is_set():
            self._answered(room, stanza)
        elif is_own and not is_available and RENAMED not in xml.codes(stanza):
            log.told += 1

    def _message(self, log: RoomLog, nick: str, stanza: Element) -> None:
        result = stanza.find(f"{{{MAM}}}result")
        body = stanza.findtext(CLIENT + "body")
        if stanza.get("type") == "error":
            said = self.said.get(stanza.get("id") or "")
            if said:
                said.refused = xml.condition(stanza)
        elif result is not None:
            self._found[result.get("queryid", "")] += _archived(result)
        elif xml.is_subject(stanza):
            log.subject_came()
        elif nick and body is not None and stanza.get("type") == "groupchat":
            self._groupchat(log, body, stanza)

    def _groupchat(self, log: RoomLog, body: str, stanza: Element) -> None:
        marked = stanza.find(STANZA_ID)
        delay = stanza.find(xml.DELAY)
        line = Line(body, None if marked is None else marked.get("id"))
        log.came(line, asked=self.asks_history and delay is not None)


def _archived(result: Element) -> list[Line]:
    body = next(result.iter(CLIENT + "body"), None)
    return [] if body is None else [Line(body.text or "", result.get("id"))]
