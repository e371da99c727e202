"""Addresses that nobody else uses: every run has a loopback network of its own."""

import random
import socket


def own_network() -> str:
    """Returns the first three bytes of a 127.x.y.0 network, chosen at random so that two runs do not meet."""
    return f"127.{random.randint(16, 254)}.{random.randint(0, 254)}"


STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


def free_port(address: str, type: socket.SocketKind = STREAM) -> int:
    with socket.socket(type=type) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
