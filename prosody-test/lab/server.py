"""A server process: started, watched until it is up, stopped by its process id."""

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 30  # MUC stores every room


class ServerFailed(Exception):
    """A server did not start, or ended by itself."""


@dataclass(frozen=True)
class Command:
    """What to run, and the line of its output that says it is up.

    The server may be another process than the one that is run, which then only passes SIGTERM on. For such a server,
    `signal` sends it the signal that is named at the end, and `remove` removes what is left of it.
    """

    argv: list[str]
    ready: str
    environment: dict[str, str]
    signal: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


class Server:
    def __init__(self, name: str, command: Command, directory: Path, show: Callable[[str], None] | None = None):
        self.name = name
        self.directory = directory
        self._command = command
        self._show = show
        self._last_lines: deque[str] = deque(maxlen=30)
        self._ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task | None = None
        self._reader: asyncio.Task | None = None

    async def start(self) -> None:
        # A start that is cut short would leave behind what a container's engine is about to make.
        self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        # A session of its own: ^C is for the runner, which then stops the servers in order.
        self._process = await asyncio.create_subprocess_exec(
            *self._command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self._command.environment},
            start_new_session=True,
        )
        self._ready.clear()
        self._reader = asyncio.create_task(self._read_output())
        try:
            await asyncio.wait_for(self._until_ready(), START_TIMEOUT_S)
        except (TimeoutError, ServerFailed) as error:
            await self._end()
            lines = "\n  ".join(self._last_lines)
            raise ServerFailed(
                f"{self.name} did not start ({error or 'timeout'}). Its last lines:\n  {lines}"
            ) from None

    async def _until_ready(self) -> None:
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._reader}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            raise ServerFailed("it ended")

    async def _read_output(self) -> None:
        while line := await self._process.stdout.readline():
            text = line.decode(errors="replace").rstrip("\n")
            self._last_lines.append(text)
            if self._show:
                self._show(text)
            if self._command.ready in text:
                self._ready.set()

    async def ended(self) -> None:
        """Waits until the process ends by itself."""
        await self._process.wait()

    async def pause(self) -> None:
        """Stops the server where it stands; its connections stay."""
        await self._send(signal.SIGSTOP)

    async def go_on(self) -> None:
        await self._send(signal.SIGCONT)

    def resident_bytes(self) -> int:
        """How much of the machine's memory the process has."""
        [line] = re.findall(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        return int(line) * 1024

    async def kill(self) -> None:
        """Ends the server without a word."""
        await self._send(signal.SIGKILL)
        await self._process.wait()
        await self._reader
        self._process = None

    async def stop(self) -> None:
        """Stops the server, once it is up."""
        if self._starting:
            await asyncio.wait([self._starting])
        await self._end()

    async def _end(self) -> None:
        if self._process is None:
            return
        await self._end_process()
        await self._remove()
        await self._reader
        self._process = None

    async def _end_process(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _send(self, number: signal.Signals) -> None:
        if not self._command.signal:
            self._process.send_signal(number)
        elif not await _succeeds([*self._command.signal, number.name]):
            raise ServerFailed(f"{self.name} did not get {number.name}")

    async def _remove(self) -> None:
        if self._command.remove:
            await _succeeds(self._command.remove)


async def _succeeds(argv: list[str]) -> bool:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdin=quiet, stdout=quiet, stderr=quiet)
    return await process.wait() == 0
