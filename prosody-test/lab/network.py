"""Addresses that nobody else uses: every run has a loopback network of its own."""

import random
import socket


def own_network() -> str:
    """Returns the first three bytes of a 127.x.y.0 network, chosen at random so that two runs do not meet."""
    return f"127.{random.randint(16, 254)}.{random.randint(0, 254)}"


STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


# Below the ports from which outgoing connections come: one of those could take a port before its server does.
PORTS = range(10_000, 30_000)
_given: set[int] = set()


def free_port(address: str, type: socket.SocketKind = STREAM) -> int:
    """Returns a port that is free there, and that it has not returned before."""
    for port in random.sample(PORTS, 100):
        if port not in _given and is_free(address, port, type):
            _given.add(port)
            return port
    raise OSError(f"no free port on {address}")


def is_free(address: str, port: int, type: socket.SocketKind = STREAM) -> bool:
    with socket.socket(type=type) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
