"""A client that does only what it is told, and keeps every stanza in the order in which it came."""

import asyncio
import base64
import contextlib

from client import xml
from client.stream import Stream, StreamClosed
from client.xml import CLIENT, SASL, SM, STREAM, Element, Match
from lab.lab import Endpoint

TIMEOUT_S = 15
MARKER = "marker-"


class Unexpected(AssertionError):
    """The server did something else than the story says."""


class RawClient:
    stream_type: type[Stream] = Stream

    def __init__(self, endpoint: Endpoint, account: str, resource: str):
        self.account = account
        self.jid = f"{account}/{resource}"
        self.received: list[Element] = []
        self.own_ids: set[str] = set()
        self._endpoint = endpoint
        self._host = account.partition("@")[2]
        self._resource = resource
        self._cursor = 0
        self._markers = 0
        self._closed: str | None = "not connected"
        self._others: list[Element] = []  # features, answers of SASL and stream management
        self._news = asyncio.Event()
        self._stream: Stream | None = None
        self._reader: asyncio.Task | None = None
        self._managed = False
        self._handled = 0
        self._resumption: str | None = None

    # ---- the session's life ----

    async def connect(self, managed: bool = False) -> None:
        """Logs in and binds, without presence; with stream management if `managed`."""
        await self._authenticate()
        self.send_raw(
            f"<iq type='set' id='bind'><bind xmlns='{xml.BIND}'><resource>{self._resource}</resource></bind></iq>"
        )
        await self.expect(xml.answer("bind"))
        if managed:
            self.send_raw("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            self._resumption = (await self._other(SM + "enabled")).get("id")

    async def go_online(self, managed: bool = False) -> None:
        """Connects and sends the first presence; what came until then is no part of the story."""
        await self.connect(managed)
        self.send("<presence/>")
        await self.expect(xml.presence(sender=self.jid))
        await self.drain()
        self.forget()

    def forget(self) -> None:
        """What has come until now is no part of the story."""
        self.received.clear()
        self._cursor = 0

    async def drop(self) -> None:
        """Loses the connection, as in a tunnel, and waits until the server has noticed.

        It has when it answers somebody who came later: it takes events in the order in which they happen.
        """
        self._stream.abort()
        await self._ended()
        later = await Stream.connect(self._endpoint, self._host)
        later.open()
        await later.read()
        later.abort()

    async def acknowledge(self) -> None:
        """Tells the server that all has come that it has sent, and waits until it knows."""
        self._others = [element for element in self._others if element.tag != SM + "a"]
        self.send_raw(f"<a xmlns='urn:xmpp:sm:3' h='{self._handled}'/><r xmlns='urn:xmpp:sm:3'/>")
        await self._other(SM + "a")

    async def resume(self) -> None:
        """Connects again and resumes the stream that was dropped."""
        await self._authenticate()
        self._managed = False
        self.send_raw(f"<resume xmlns='urn:xmpp:sm:3' previd='{self._resumption}' h='{self._handled}'/>")
        answer = await self._other(SM + "resumed", SM + "failed")
        if answer.tag != SM + "resumed":
            raise Unexpected(f"the stream was not resumed: {xml.text(answer)}")

    async def close(self, last_words: str = "") -> None:
        """Closes the stream in the same write as the last words, and waits for the server's end of it."""
        if self._closed is None:
            self._stream.write(last_words + "</stream:stream>")
        await self._ended()

    async def stop(self) -> None:
        """Ends whatever is there, at the end of a story."""
        if self._reader:
            self._reader.cancel()
            self._stream.abort()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _authenticate(self) -> None:
        self._stream = await self.stream_type.connect(self._endpoint, self._host)
        self._closed = None
        self._managed = False
        self._reader = asyncio.create_task(self._read())
        self._stream.open()
        await self._other(STREAM + "features")
        username = self.account.partition("@")[0]
        secret = base64.b64encode(f"\0{username}\0secret".encode()).decode()
        self._stream.write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        answer = await self._other(SASL + "success", SASL + "failure")
        if answer.tag != SASL + "success":
            raise Unexpected(f"{self.account} may not log in: {xml.text(answer)}")
        self._stream.open()
        await self._other(STREAM + "features")

    # ---- sending ----

    def send_raw(self, text: str) -> None:
        if self._closed:
            raise Unexpected(f"{self.jid} sends although its connection is gone: {self._closed}")
        self._stream.write(text)

    def send(self, text: str) -> None:
        """Sends a stanza, or several in one write."""
        self.send_raw(text)

    def new_id(self, what: str) -> str:
        """An id that is the same in every run of a story."""
        name = f"{self._resource}-{what}-{len(self.own_ids) + 1}"
        self.own_ids.add(name)
        return name

    # ---- receiving ----

    async def expect(self, match: Match, timeout: float = TIMEOUT_S) -> Element:
        """Returns the next stanza that matches, and goes on behind it."""
        return (await self.until(match, timeout))[-1]

    async def until(self, match: Match, timeout: float = TIMEOUT_S) -> list[Element]:
        """Returns all stanzas up to the next one that matches, and goes on behind it."""
        start = self._cursor
        position = start
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            while position < len(self.received):
                position += 1
                if match(self.received[position - 1]):
                    self._cursor = position
                    return self.received[start:position]
            if self._closed:
                raise Unexpected(self._report(match, self._closed, start))
            await self._wait_for_news(deadline, match, start)

    async def drain(self, room: str | None = None) -> list[Element]:
        """Returns all that is still to come.

        Decided by answers: of the own server, which has then performed what it queued, and then of the room, since
        stanzas on one path do not overtake each other.
        """
        came = await self._marker(self._host, "<ping xmlns='urn:xmpp:ping'/>")
        if room:
            came += await self._marker(room, xml.DISCO_INFO)
        return came

    async def synchronise(self) -> None:
        """Waits until the own server has taken all that was sent; what came meanwhile is still to be expected."""
        cursor = self._cursor
        await self.drain()
        self._cursor = cursor

    async def _marker(self, to: str, payload: str) -> list[Element]:
        self._markers += 1
        marker = f"{MARKER}{self._markers}"
        self.send(f"<iq type='get' id='{marker}' to='{to}'>{payload}</iq>")
        came = await self.until(xml.answer(marker))
        return [stanza for stanza in came if not (stanza.get("id") or "").startswith(MARKER)]

    def _report(self, match: Match, why: str, start: int) -> str:
        came = "\n    ".join(xml.text(stanza) for stanza in self.received[start:]) or "nothing"
        return f"{self.jid} waits for {match.words}\n  ({why}). Since then came:\n    {came}"

    async def _wait_for_news(self, deadline: float, match: Match, start: int) -> None:
        self._news.clear()
        remaining = deadline - asyncio.get_running_loop().time()
        try:
            # `wait_for` of Python 3.11 loses a cancellation that comes together with the news.
            async with asyncio.timeout(remaining):
                await self._news.wait()
        except TimeoutError:
            raise Unexpected(self._report(match, "timeout", start)) from None

    async def _other(self, *tags: str) -> Element:
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        while True:
            for index, element in enumerate(self._others):
                if element.tag in tags:
                    del self._others[: index + 1]
                    return element
            if self._closed:
                raise Unexpected(f"{self.jid}: {self._closed} while waiting for {tags}")
            await self._wait_for_news(deadline, Match(lambda _: False, " or ".join(tags)), len(self.received))

    async def _ended(self) -> None:
        with contextlib.suppress(StreamClosed):
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.shield(self._reader)

    async def _read(self) -> None:
        try:
            while True:
                for element in await self._stream.read():
                    self._take(element)
        except StreamClosed as closed:
            self._closed = str(closed)
        finally:
            self._news.set()

    def _take(self, element: Element) -> None:
        if element.tag == SM + "r":
            self._stream.write(f"<a xmlns='urn:xmpp:sm:3' h='{self._handled}'/>")
        elif element.tag.startswith(CLIENT):
            self._handled += 1 if self._managed else 0
            self.received.append(element)
        else:
            # The count goes on in a resumed stream, and starts at the server's word.
            self._managed = self._managed or element.tag in (SM + "enabled", SM + "resumed")
            self._others.append(element)
        self._news.set()
