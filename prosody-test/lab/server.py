"""A server process: started, watched until it is up, stopped by its process id."""

import asyncio
import contextlib
import os
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
    """What to run, the line of its output that says it is up, and what removes what is left of it, if anything may be."""

    argv: list[str]
    ready: str
    environment: dict[str, str]
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
        self._reader: asyncio.Task | None = None

    async def start(self) -> None:
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
            await self.stop()
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

    def pause(self) -> None:
        """Lets the process hear nothing more; its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        """Ends the process without a word."""
        self._process.kill()
        await self._process.wait()
        await self._remove()
        await self._reader
        self._process = None

    async def stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            await self._remove()
        await self._reader
        self._process = None

    def pause(self) -> None:
        """Stops the process where it stands; its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def _remove(self) -> None:
        if self._command.remove:
            quiet = asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(*self._command.remove, stdout=quiet, stderr=quiet)
            await process.wait()
