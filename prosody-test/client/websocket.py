"""One XMPP stream within a WebSocket (RFC 7395): every element is a frame of its own."""

import asyncio
import os
import struct
from xml.etree import ElementTree

from client.stream import Stream, StreamClosed
from lab.lab import Endpoint

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
ROOT = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
TEXT, CLOSE = 1, 8


def _masked(data: bytes) -> bytes:
    """A frame of a client, which has to be masked (RFC 6455 §5.3)."""
    mask = os.urandom(4)
    short = len(data) < 126
    length = struct.pack("!B", 0x80 | len(data)) if short else struct.pack("!BH", 0x80 | 126, len(data))
    return bytes([0x80 | TEXT]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


class WebSocketStream(Stream):
    @classmethod
    async def connect(cls, endpoint: Endpoint, host: str) -> "WebSocketStream":
        reader, writer = await asyncio.open_connection(endpoint.address, endpoint.web_port)
        lines = [
            "GET /xmpp-websocket HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: xmpp",
            "Sec-WebSocket-Version: 13",
        ]
        writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.splitlines()[0]:
            raise StreamClosed(f"no WebSocket: {answer.decode()}")
        return cls(reader, writer, host)

    def open(self) -> None:
        self._restart()
        self._frame(f"<open xmlns='{FRAMING}' version='1.0' to='{self._host}'/>")

    def write(self, xml: str) -> None:
        stanzas, end, _ = xml.partition("</stream:stream>")
        for element in ElementTree.fromstring(f"{ROOT}{stanzas}</stream:stream>"):
            self._frame(ElementTree.tostring(element, encoding="unicode"))
        if end:
            self._frame(f"<close xmlns='{FRAMING}'/>")

    def _frame(self, text: str) -> None:
        self._writer.write(_masked(text.encode()))

    async def _read_some(self) -> bytes:
        try:
            return await self._read_frame()
        except (OSError, EOFError) as error:
            raise StreamClosed(str(error)) from None

    async def _read_frame(self) -> bytes:
        kind, length = await self._reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        data = await self._reader.readexactly(length)
        if kind & 0x0F == CLOSE:
            raise StreamClosed("the WebSocket was closed")
        return data if kind & 0x0F == TEXT else b""

    def _restart(self) -> None:
        super()._restart()
        self._parser.feed(ROOT)
