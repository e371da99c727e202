"""One XMPP stream over TCP: bytes in, top-level elements out, nothing decided."""

import asyncio
from xml.etree.ElementTree import Element, XMLPullParser

from lab.lab import Endpoint


class StreamClosed(Exception):
    """The server ended the stream or the connection."""


class Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str):
        self._reader = reader
        self._writer = writer
        self._host = host
        self._restart()

    @classmethod
    async def connect(cls, endpoint: Endpoint, host: str) -> "Stream":
        reader, writer = await asyncio.open_connection(endpoint.address, endpoint.port)
        return cls(reader, writer, host)

    def open(self) -> None:
        """Opens the stream, or opens it anew after authentication."""
        self._restart()
        self.write(
            f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            f"version='1.0' to='{self._host}'>"
        )

    def write(self, xml: str) -> None:
        self._writer.write(xml.encode())

    def abort(self) -> None:
        """Cuts the connection without a word."""
        self._writer.transport.abort()

    async def read(self) -> list[Element]:
        """Returns the next elements; raises StreamClosed at the end."""
        elements: list[Element] = []
        while not elements:
            if self._ended:
                raise StreamClosed("the stream was closed")
            data = await self._read_some()
            self._parser.feed(data)
            elements = self._complete_elements()
        return elements

    async def _read_some(self) -> bytes:
        try:
            data = await self._reader.read(65536)
        except OSError as error:
            raise StreamClosed(str(error)) from None
        if not data:
            raise StreamClosed("the connection ended")
        return data

    def _complete_elements(self) -> list[Element]:
        elements = []
        for event, element in self._parser.read_events():
            self._depth += 1 if event == "start" else -1
            if event == "start" and self._depth == 1:
                self._root = element
            elif event == "end" and self._depth == 1:
                elements.append(element)
                self._root.clear()
            elif event == "end" and self._depth == 0:
                self._writer.close()
                self._ended = True
        return elements

    def _restart(self) -> None:
        self._parser = XMLPullParser(events=("start", "end"))
        self._depth = 0
        self._root: Element | None = None
        self._ended = False
