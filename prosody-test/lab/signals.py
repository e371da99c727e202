"""How a run ends when it is told to: it stops what it has started."""

import asyncio
import signal
import sys
from collections.abc import Coroutine


def run(work: Coroutine[None, None, bool]) -> bool:
    """Runs the work and returns its result; SIGTERM and ^C cancel it, and then end the process.

    The background of a shell ignores SIGINT, so SIGTERM does not become one.
    """
    try:
        return asyncio.run(_until_terminated(work))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


async def _until_terminated(work: Coroutine[None, None, bool]) -> bool:
    task = asyncio.current_task()

    def cancel() -> None:
        # `timeout` sends SIGTERM twice, and the second one must not disturb the stopping.
        if not task.cancelling():
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cancel)
    return await work
