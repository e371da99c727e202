"""Where server A keeps its data: Prosody's own files, an SQLite database, or a PostgreSQL of the lab's own."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from lab import network
from lab.server import Command, Server

KINDS = ("internal", "sqlite", "postgresql")
RECORDS = "SELECT host, \"user\", key, value FROM prosody WHERE store = 'minimix'"
LOGGED = "SELECT value FROM prosodyarchive WHERE store = 'minimix_log' ORDER BY sort_id"
TORN = 'item({ key = "the lab raises this on purpose\n'  # so says the error
SEPARATOR = "\x1f"
USER = "postgres"  # Debian's; PostgreSQL does not run as root
TOLD_S = 30


class Files:
    """Prosody's internal storage."""

    def __init__(self, directory: Path):
        self._data = directory / "data"

    @property
    def options(self) -> dict[str, object]:
        return {}

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def records(self) -> list[str]:
        """What is stored of each account that is in rooms."""
        texts = []
        for file in self._data.glob("*/minimix/*.dat"):
            with contextlib.suppress(FileNotFoundError):  # it goes when its last room does
                texts.append(file.read_text().replace("\\", ""))
        return texts


    def logged(self) -> str:
        """All that is in the logs of rooms."""
        return "".join(file.read_text() for file in self._data.glob("*/minimix_log/*.list"))

    def tear(self) -> None:
        """Leaves each log of a room as a server does that is killed while it writes."""
        for file in self._data.glob("*/minimix_log/*.list"):
            with file.open("a") as log:
                log.write(TORN)


class Sqlite(Files):
    def __init__(self, directory: Path):
        self._file = directory / "data" / "prosody.sqlite"

    @property
    def options(self) -> dict[str, object]:
        return {"default_storage": "sql", "sql": {"driver": "SQLite3", "database": self._file}}

    def records(self) -> list[str]:
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as database:
            return _by_account(database.execute(RECORDS))

    def logged(self) -> str:
        # Without a lock, which would have the server's write fail. What it writes at the moment can't be read.
        with (
            contextlib.suppress(sqlite3.DatabaseError),
            contextlib.closing(sqlite3.connect(f"file:{self._file}?immutable=1", uri=True)) as database,
        ):
            return "".join(value for (value,) in database.execute(LOGGED))
        return ""

    def tear(self) -> None:
        """A database leaves nothing unfinished."""


class Postgresql(Files):
    """A server of its own, on loopback, with its data in a folder that is removed at the end."""

    def __init__(self, address: str):
        self._address = address
        self._port = network.free_port(address)
        self._directory = Path(tempfile.mkdtemp(prefix="minimix-postgresql-"))
        argv = [_program("postgres"), "-D", self._directory / "data", "-k", self._directory]
        argv += ["-h", address, "-p", self._port]
        command = Command(_as_user(argv), ready="is ready to accept connections", environment={})
        self._server = Server("PostgreSQL", command, self._directory)

    @property
    def options(self) -> dict[str, object]:
        where = {"host": self._address, "port": self._port, "database": USER, "username": USER, "password": "any"}
        return {"default_storage": "sql", "sql": {"driver": "PostgreSQL", **where}}

    async def start(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self._directory, USER)
        argv = [_program("initdb"), "-D", self._directory / "data", "-U", USER, "-A", "trust"]
        argv += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        process = await asyncio.create_subprocess_exec(
            *_as_user(argv), stdout=asyncio.subprocess.DEVNULL, cwd=self._directory
        )
        if await process.wait() != 0:
            raise OSError("initdb failed")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def records(self) -> list[str]:
        return _by_account(line.split(SEPARATOR) for line in self._select(RECORDS).splitlines())

    def logged(self) -> str:
        return self._select(LOGGED)

    def tear(self) -> None:
        """A database leaves nothing unfinished."""

    def _select(self, query: str) -> str:
        argv = ["psql", "-h", self._address, "-p", str(self._port), "-U", USER, "-d", USER]
        argv += ["-A", "-t", "-F", SEPARATOR, "-c", query]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=TOLD_S).stdout


def of_kind(kind: str, directory: Path, address: str) -> Files:
    """`directory` is that of the server; `address` is where a database server may listen."""
    match kind:
        case "sqlite":
            return Sqlite(directory)
        case "postgresql":
            return Postgresql(address)
    return Files(directory)


def check_installed(kind: str) -> None:
    """Ends the program if what Prosody needs for that storage is missing."""
    driver = {"sqlite": "dbd.sqlite3", "postgresql": "dbd.postgresql"}.get(kind)
    if driver is None:
        return
    is_there = subprocess.run(["lua5.4", "-e", f"require '{driver}'"], capture_output=True).returncode == 0
    if not is_there or (kind == "postgresql" and not _program("postgres")):
        sys.exit(f"what {kind} needs is missing: run 'make deps'")


def _by_account(rows: Iterable[tuple[str, str, str, str]]) -> list[str]:
    texts: dict[tuple[str, str], str] = defaultdict(str)
    for host, user, room, text in rows:
        texts[host, user] += f"{room} {text}\n"
    return list(texts.values())


def _program(name: str) -> str | None:
    """Debian has the programs of a PostgreSQL server in a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ["PATH"]]))


def _as_user(argv: list[object]) -> list[str]:
    prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.getuid() == 0 else []
    return [*prefix, *map(str, argv)]
