#!/usr/bin/env python3
"""Runs the stories on real servers.

run.py                       all stories
run.py kick ban              those whose name contains one of the words
run.py --list                names them
run.py --remote ejabberd     only stories of remote rooms, with an ejabberd for server B
run.py --remote irc          only stories of channels, behind a gateway of server B
run.py --storage sqlite      server A keeps its data in an SQLite database, or in a PostgreSQL
run.py --stock               the module stays out: both sides are stock Prosody, which tests the harness
"""

import argparse
import asyncio
import importlib
import os
import pkgutil
import sys
import time

import stories
from harness.report import report, server_errors
from harness.runner import run_all
from harness.story import STORIES, Form, Story
from lab import signals, storage
from lab.lab import WITH, WITHOUT, Lab
from lab.guests import PUSHED
from lab.prosody import check_built, check_unpacked

# Whose rooms are played, by what server B is.
KINDS = {"prosody": {"local", "slow", "remote", "puppet", "guarded"}, "ejabberd": {"remote"}, "irc": {"irc"}}
MANY_ALONE = 10


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stories of mod_minimix on real servers")
    parser.add_argument("words", nargs="*", help="parts of the names of the stories to run")
    parser.add_argument("--list", action="store_true", help="name the stories and the statements that they show")
    parser.add_argument("--stock", action="store_true", help="compare stock Prosody with itself, to test the harness")
    parser.add_argument(
        "--all", action="store_true", help="with --stock also the other stories, most of which then fail"
    )
    parser.add_argument("--remote", choices=KINDS, default="prosody", help="what server B is")
    parser.add_argument("--storage", choices=storage.KINDS, default="internal", help="where server A keeps its data")
    parser.add_argument("--image", help="an image of containers to run Prosody in")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs and data")
    return parser.parse_args()


def chosen(words: list[str], remote: str) -> list[Story]:
    """The push service is a component of server B, if that is a Prosody."""
    for module in pkgutil.iter_modules(stories.__path__):
        importlib.import_module(f"stories.{module.name}")
    known = [story for story in STORIES if remote == "prosody" or story.host != PUSHED]
    return [story for story in known if not words or any(word in story.name for word in words)]


def labs_for(options: argparse.Namespace, selected: list[Story]) -> list[Lab]:
    """One, or two beside each other if many stories need the servers for themselves and there is a core for each."""
    many = sum(story.alone for story in selected) >= MANY_ALONE and (os.cpu_count() or 1) > 1
    count = 2 if many and options.remote == "prosody" and not options.image else 1
    return [
        Lab(with_module=not options.stock, remote=options.remote, image=options.image, stores=options.storage)
        for _ in range(count)
    ]


async def run(options: argparse.Namespace, selected: list[Story]) -> bool:
    start = time.monotonic()
    labs = labs_for(options, selected)
    keep = True
    try:
        for lab in labs:
            await lab.start()
        if errors := [error for lab in labs for error in server_errors(lab)]:
            print("prosody-test: the servers started with errors", *errors, sep="\n")
            return False
        outcomes = await run_all(labs, selected, WITHOUT if options.stock else WITH, KINDS[options.remote])
        passed = report(labs, outcomes, time.monotonic() - start)
        keep = options.keep or not passed
        return passed
    except asyncio.CancelledError:
        keep = options.keep
        raise
    finally:
        for lab in labs:
            await lab.stop(keep)
        if keep:
            print("logs and data:", *(lab.directory for lab in labs))


def main() -> None:
    options = arguments()
    selected = chosen(options.words, options.remote)
    if options.list:
        for story in selected:
            print(story.title)
        return
    if not selected:
        sys.exit("prosody-test: no story has such a name")
    if options.stock:
        selected = [story for story in selected if story.form is Form.COMPARED or options.all]
    else:
        check_built()
    check_unpacked()
    storage.check_installed(options.storage)
    sys.exit(0 if signals.run(run(options, selected)) else 1)


if __name__ == "__main__":
    main()
