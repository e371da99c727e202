"""What a server has stored of many accounts that are in rooms, as its internal storage writes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.prosody import lua

DETACHED = timedelta(hours=2)  # ago; nobody lingers for as short a time


def encoded(name: str) -> str:
    """A name as Prosody's internal storage makes a file's name of it."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"%{ord(letter):02x}" for letter in name)


def record(number: int, place: int) -> str:
    """One account in one room, with all that is usually known of it. The room is shown already that nobody is there. Every
    other room has an archive of its own, and gives its messages ids; the others are logged."""
    detached = datetime.now(UTC) - DETACHED
    stamp = f"{detached:%Y-%m-%dT%H:%M:%SZ}"
    id = f"{number:08x}{place:08x}" * 2
    seen = f'"stanza_id":"{id[:24]}"' if place % 2 else f'"log":[[{int(detached.timestamp()) * 1000},null]]'
    return (
        f'{{"v":1,"nick":"nick{number}","affiliation":"member","occupant_id":"{id}","detached":"{stamp}",'
        f'"away":true,"stamp":"{stamp}",{seen}}}'
    )


def write(data: Path, host: str, accounts: int, rooms: int, services: list[str]) -> None:
    """Writes the records of so many accounts, each in so many rooms, which are spread over those services."""
    folder = data / encoded(host) / "minimix"
    folder.mkdir(parents=True)
    for number in range(accounts):
        names = (f"room{number % 100}-{place}@{services[(number + place) % len(services)]}" for place in range(rooms))
        texts = {name: record(number, place) for place, name in enumerate(names)}
        (folder / f"account{number}.dat").write_text(f"return {lua(texts)};\n")
