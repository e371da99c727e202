#!/usr/bin/env python3
"""A Prosody with the module, to try it by hand: `make run`.

It has accounts, a room and a port of its own on loopback, keeps its data in target/run, forgets it at the next start,
and ends with ^C.
"""

import asyncio
import contextlib
import fcntl
import shutil
import signal
import subprocess
import sys

from lab import network, prosody
from lab.prosody import CHECKOUT, MODULES, Host, Settings, check_built
from lab.server import Server, ServerFailed

ADDRESS = "127.0.0.1"
PORT = 15222
HOST = "localhost"
SERVICE = "rooms.localhost"
ROOM = "lounge"
PASSWORDS = {name: f"{name}-secret" for name in ("alice", "bob", "carol")}
DIRECTORY = CHECKOUT / "target" / "run"
LOCK = CHECKOUT / "target" / "run.lock"


def choose_port() -> int:
    if network.is_free(ADDRESS, PORT):
        return PORT
    port = network.free_port(ADDRESS)
    print(f"port {PORT} is taken, {port} is used instead")
    return port


def write_accounts() -> None:
    accounts = DIRECTORY / "data" / HOST / "accounts"
    accounts.mkdir(parents=True)
    for name, password in PASSWORDS.items():
        (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}" }};\n')


def write_certificate() -> bool:
    """Many clients want TLS; without openssl they must be told to go without."""
    if not shutil.which("openssl"):
        return False
    certs = DIRECTORY / "certs"
    certs.mkdir()
    names = f"subjectAltName=DNS:{HOST},DNS:{SERVICE}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={HOST}"]
        + ["-addext", names, "-keyout", certs / f"{HOST}.key", "-out", certs / f"{HOST}.crt"],
        check=True,
        capture_output=True,
    )
    return True


def settings(port: int, tls: bool) -> Settings:
    modules = [name for name in MODULES if name not in ("dialback", "lab_peers")]
    return Settings(
        directory=DIRECTORY,
        address=ADDRESS,
        c2s_port=port,
        s2s_port=0,
        hosts=[
            Host(HOST, modules=["minimix", "lab_peers"]),
            Host(SERVICE, rooms=True, modules=["lab_rooms"], options={"lab_rooms": {ROOM: "Lounge"}}),
        ],
        options={
            "authentication": "internal_plain",
            "modules_enabled": modules + (["tls"] if tls else []),
            "modules_disabled": ["s2s"],
            "log": [
                {"levels": {"min": "debug"}, "to": "file", "filename": DIRECTORY / "debug.log"},
                {"levels": {"min": "debug"}, "to": "console"},
            ],
        },
    )


def tell(port: int, tls: bool) -> None:
    accounts = ", ".join(f"{name}@{HOST} (password {password})" for name, password in PASSWORDS.items())
    security = "TLS with a self-signed certificate, or none" if tls else "without TLS"
    print(
        f"accounts {accounts}; room {ROOM}@{SERVICE}; server {ADDRESS} port {port}, {security}; ^C ends it", flush=True
    )


def show(line: str) -> None:
    """Prints what an operator would see, and what the module decides, which names people and so is logged at debug."""
    source, _, rest = line.partition(" ")
    if not rest.lstrip().startswith("debug\t") or source.endswith(":minimix"):
        print(line, flush=True)


async def serve(port: int, tls: bool) -> int:
    server = Server("Prosody", prosody.command(settings(port, tls)), DIRECTORY, show)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await server.start()
        tell(port, tls)
        ended = asyncio.create_task(server.ended())
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        return 0 if stop.is_set() else 1
    finally:
        await server.stop()


def only_one() -> object:
    """Holds the directory for this run; the lock ends with the process."""
    LOCK.parent.mkdir(exist_ok=True)
    lock = LOCK.open("w")
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock
    sys.exit("another `make run` of this checkout is active")


def main() -> None:
    check_built()
    lock = only_one()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    write_accounts()
    port, tls = choose_port(), write_certificate()
    try:
        sys.exit(asyncio.run(serve(port, tls)))
    except ServerFailed as failure:
        sys.exit(str(failure))
    finally:
        lock.close()


if __name__ == "__main__":
    main()
