"""Runs Smack's tests of group chats in a Java process, and reads what became of each."""

import asyncio
import re
from pathlib import Path

from lab.prosody import CHECKOUT
from smack.hosts import ADMIN, PASSWORD, Side

JARS = CHECKOUT / "target" / "interop"
TIMEOUT_S = 240
REPLY_TIMEOUT_MS = 10_000
MAIN = "org.igniterealtime.smack.inttest.SmackIntegrationTestFramework"
PACKAGE = "org.jivesoftware.smackx.muc"
CONNECTION = "tcp"  # the modular one of this release now and then fails to connect, to any server

# "SomeTest.someMethod (LowLevel, tcp) Success"; what cannot be run on this service is left out
OUTCOME = re.compile(r"^(\w+\.\w+) \([^)]+\) (Success|Failed)$", re.MULTILINE)
END = re.compile(r"^SmackIntegrationTestFramework\[\w+\] finished: ", re.MULTILINE)

Outcomes = dict[str, bool]


class SuiteFailed(Exception):
    """The tests did not run to their end."""


def _command(name_server: tuple[str, int], side: Side, tests: list[str]) -> list[str]:
    address, port = name_server
    properties = {
        "sinttest.service": side.host,
        # A server that is configured is taken to be at port 5222, which another may have here.
        "sinttest.dnsResolver": "dnsjava",
        "dns.server": f"{address}:{port}",
        # The service's own address, which Smack asks Java for besides, is nobody's.
        "jdk.net.hosts.file": "/dev/null",
        "sinttest.securityMode": "disabled",
        "sinttest.adminAccountUsername": ADMIN,
        "sinttest.adminAccountPassword": PASSWORD,
        "sinttest.replyTimeout": REPLY_TIMEOUT_MS,
        "sinttest.testPackages": PACKAGE,
        "sinttest.enabledConnections": CONNECTION,
        "java.util.logging.SimpleFormatter.format": "%5$s%6$s%n",
    }
    if tests:
        properties["sinttest.enabledTests"] = ",".join(tests)
    return ["java", "-cp", f"{JARS}/*", *(f"-D{name}={value}" for name, value in properties.items()), MAIN]


async def run(name_server: tuple[str, int], side: Side, log: Path, tests: list[str]) -> Outcomes:
    """Runs the named tests, all if none is named."""
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *_command(name_server, side, tests), stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file
        )
        try:
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            raise SuiteFailed(f"no end after {TIMEOUT_S} s: {log}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    output = log.read_text(errors="replace")
    if not END.search(output):
        last = "\n  ".join(output.splitlines()[-12:])
        raise SuiteFailed(f"Smack's tests ended early {side.words} ({log}):\n  {last}")
    return {name: outcome == "Success" for name, outcome in OUTCOME.findall(output)}
