"""A name server of the lab's own, for what knows no other way to find a server than SRV records."""

import asyncio
import struct
from dataclasses import dataclass

SERVERS, CLIENTS = "_xmpp-server._tcp.", "_xmpp-client._tcp."
SRV, INTERNET = 33, 1
ANSWER_OF_AUTHORITY, NO_SUCH_NAME = 0x8580, 0x8583
TTL_S = 60


@dataclass(frozen=True)
class Query:
    id: int
    name: str
    type: int
    question: bytes


def _read(datagram: bytes) -> Query:
    id = struct.unpack_from("!H", datagram)[0]
    labels, position = [], 12
    while length := datagram[position]:
        labels.append(datagram[position + 1 : position + 1 + length].decode())
        position += 1 + length
    type = struct.unpack_from("!H", datagram, position + 1)[0]
    return Query(id, ".".join(labels).lower(), type, datagram[12 : position + 5])


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _reply(query: Query, target: tuple[str, int] | None) -> bytes:
    flags = ANSWER_OF_AUTHORITY if target else NO_SUCH_NAME
    head = struct.pack("!6H", query.id, flags, 1, 1 if target else 0, 0, 0) + query.question
    if not target:
        return head
    address, port = target
    data = struct.pack("!3H", 0, 0, port) + _name(address)
    same_name = 0xC00C
    return head + struct.pack("!3HIH", same_name, SRV, INTERNET, TTL_S, len(data)) + data


class Names(asyncio.DatagramProtocol):
    """Answers where other servers, or clients, find the servers of some domains.

    The target of a record is an address, which every resolver takes.
    """

    def __init__(self, places: dict[str, tuple[str, int]], address: str, port: int, service: str = SERVERS):
        self._local_address = (address, port)
        self._transport: asyncio.DatagramTransport | None = None
        self._records = {service + name: where for name, where in places.items()}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, datagram: bytes, sender: tuple) -> None:
        query = _read(datagram)
        target = self._records.get(query.name) if query.type == SRV else None
        self._transport.sendto(_reply(query, target), sender)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=self._local_address)

    async def stop(self) -> None:
        if self._transport:
            self._transport.close()
