"""A TCP proxy in front of a server, whose connections can be reset, held or refused."""

import asyncio
import contextlib
import socket
import struct

AT_ONCE = struct.pack("ii", 1, 0)  # of SO_LINGER: the end of a connection is a reset


class Proxy:
    """Takes connections at `where` and passes their bytes to `target` and back."""

    def __init__(self, where: tuple[str, int], target: tuple[str, int]):
        self.where = where
        self.target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listener: asyncio.Server | None = None

    async def listen(self) -> None:
        """Takes connections, from the start or after a time in which it refused them."""
        if not self._listener:
            self._listener = await asyncio.start_server(self._connected, *self.where)

    def refuse(self) -> None:
        """Resets what there is, and takes no new connection."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.reset()

    def reset(self) -> None:
        """Ends all connections with a reset, to both sides."""
        for writer in list(self._writers):
            _abort(writer)

    def hold(self) -> None:
        """Keeps all connections, and passes nothing on."""
        self._flows.clear()

    def release(self) -> None:
        self._flows.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            _abort(writer)
            return
        ends = {writer, far_writer}
        self._writers |= ends
        await asyncio.gather(self._pass(reader, far_writer, writer), self._pass(far_reader, writer, far_writer))
        self._writers -= ends
        for end in ends:
            end.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        """Passes one direction on until its end; a reset is passed on as a reset."""
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            await self._flows.wait()
            with contextlib.suppress(RuntimeError):
                writer.write_eof()
        except OSError:
            _abort(writer)
            _abort(back)


def _abort(writer: asyncio.StreamWriter) -> None:
    end = writer.get_extra_info("socket")
    if end and end.fileno() >= 0:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
