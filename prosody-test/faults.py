#!/usr/bin/env python3
"""Does faults to real servers while people talk, and counts what they missed.

faults.py                  all rows of the table
faults.py cut "A killed"   those whose name contains one of the words
faults.py --list           names them
faults.py --remote ejabberd  the rows in which server B is an ejabberd
faults.py --storage sqlite   server A keeps its data in an SQLite database, or in a PostgreSQL
"""

import argparse
import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import AsyncIterator

from fault.crowd import Crowd
from fault.pair import MODULE, PLAIN, Pair
from fault.random_kills import RandomKills
from fault.row import Figures, Row
from fault.rows import EJABBERD_ROWS, ROWS
from fault.table import Result, report
from fault.world import World
from harness.report import server_errors
from lab import signals, storage
from lab.prosody import check_built

AT_ONCE = 4
LONGEST_S = 450
PLAYED_AGAIN = 3  # more that miss are not the machine's fault
Fault = Row | Crowd | RandomKills


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faults, and what mod_minimix makes of them")
    parser.add_argument("words", nargs="*", help="parts of the names of the rows to run")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--remote", choices=["prosody", "ejabberd"], default="prosody", help="what server B is")
    parser.add_argument("--image", help="an image of containers to run Prosody in")
    parser.add_argument("--storage", choices=storage.KINDS, default="internal", help="where server A keeps its data")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data")
    return parser.parse_args()


async def run(faults: list[Fault], options: argparse.Namespace) -> bool:
    """Runs the faults beside each other, the longest first, but those alone that measure how quick a server is.

    The table counts seconds, and the machine may be busy: few that miss are done once more, alone.
    """
    start = time.monotonic()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(fault: Fault) -> Result:
        async with slots:
            return await _run_one(fault, options)

    together = [fault for fault in faults if not fault.is_alone]
    together.sort(key=lambda fault: not isinstance(fault, RandomKills))
    # Unlike gather, a group that is cancelled waits until each of them has stopped its servers.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(fault)) for fault in together]
    results = [task.result() for task in tasks]
    results += [await _run_one(fault, options) for fault in faults if fault.is_alone]
    results.sort(key=lambda result: faults.index(result.row))
    print(report(results))
    bad = [result for result in results if result.is_bad]
    if 0 < len(bad) <= PLAYED_AGAIN:
        again = [await _run_one(result.row, options) for result in bad]
        print(f"once more, alone:\n{report(again)}")
        results = [result for result in results if not result.is_bad] + again
    bad = [result for result in results if result.is_bad]
    for result in bad:
        print(f"failed: {result.row.name}: {result.failure or result.verdict}")
    print(f"{len(results)} faults in {time.monotonic() - start:.0f} s, {len(bad)} failed")
    return not bad


async def _run_one(fault: Fault, options: argparse.Namespace) -> Result:
    result = Result(fault)
    try:
        if isinstance(fault, Row):
            result.measured(*await _measure(fault, options))
        else:
            async with _servers(fault, options) as pair:
                result.words, result.missed = await fault.play(pair)
    except Exception:  # a mistake in the lab fails its row, and must not end the run
        result.failure = traceback.format_exc()
    print(f"{fault.name}: {result.verdict}", flush=True)
    return result


async def _measure(row: Row, options: argparse.Namespace) -> list[Figures]:
    """Returns what the account with the module met with, and the one without; of many rooms, one after the other."""
    figures = []
    for hosts in [[MODULE], [PLAIN]] if row.is_alone else [[MODULE, PLAIN]]:
        async with _servers(row, options) as pair:
            figures += await _play(row, pair, hosts)
    return figures


@contextlib.asynccontextmanager
async def _servers(fault: Fault, options: argparse.Namespace) -> AsyncIterator[Pair]:
    """Two servers of its own, whose logs and data are kept if something goes wrong."""
    pair = Pair(fault.name, options.keep, options.remote, options.storage, options.image)
    kept = True
    try:
        await pair.start()
        async with asyncio.timeout(LONGEST_S):
            yield pair
        if errors := server_errors(pair):
            raise AssertionError("server errors:\n" + "\n".join(errors[:10]))
        kept = options.keep
    finally:
        await pair.end(kept)
        if kept:
            print(f"{fault.name}: logs and data: {pair.directory}")


async def _play(row: Row, pair: Pair, hosts: list[str]) -> list[Figures]:
    worlds = [World(pair, row, host) for host in hosts]
    try:
        await asyncio.gather(*(world.prepare() for world in worlds))
        await asyncio.sleep(row.before_s)
        await asyncio.gather(*(world.fault_begins() for world in worlds))
        await row.fault(pair)
        await asyncio.gather(*(world.fault_is_over() for world in worlds))
        return await asyncio.gather(*(world.figures() for world in worlds))
    finally:
        await asyncio.gather(*(world.end() for world in worlds))


def main() -> None:
    options = arguments()
    every = EJABBERD_ROWS if options.remote == "ejabberd" else [*ROWS, RandomKills(), Crowd()]
    faults = [fault for fault in every if not options.words or any(word in fault.name for word in options.words)]
    if options.list:
        print("\n".join(fault.name for fault in faults))
        return
    if not faults:
        sys.exit("fault-test: no fault has such a name")
    check_built()
    storage.check_installed(options.storage)
    sys.exit(0 if signals.run(run(faults, options)) else 1)


if __name__ == "__main__":
    main()
