"""The stage of one story: a room of its own, people of its own, and their end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from client import xml
from client.person import Person
from client.websocket import WebSocketStream
from client.xml import Element
from harness.story import check
from lab.lab import FAR, SERVICES, WITH, Endpoint, Lab

LOGGED_S = 45  # a silent service is asked after 15 s
STORED_S = 15  # the module stores a change within 5 s
POLL_S = 0.1


class Scene:
    def __init__(self, lab: Lab, name: str, kind: str, host: str = WITH):
        self.kind = kind
        self.host = host
        self.service = SERVICES[kind]
        self._lab = lab
        # Unique for each run of each story, and without a dot, so that labels can stand for it.
        self._tag = f"{name}-{kind}-{host.partition('.')[0]}".replace("_", "-")
        self.room = f"{self._tag}-room@{self.service}"
        self.people: list[Person] = []

    def account(self, name: str, host: str) -> str:
        return f"{name}-{self._tag}@{host}"

    async def person(self, name: str, managed: bool = False, online: bool = True) -> Person:
        """Somebody else, on another host."""
        return await self.device(name, name, FAR, managed, online)

    async def device(
        self, name: str, resource: str, host: str = "", managed: bool = False, online: bool = True
    ) -> Person:
        """One client of an account; the same name with another resource is another device."""
        host = host or self.host
        person = Person(self._lab.endpoint(host), self.account(name, host), resource)
        self.people.append(person)
        if online:
            await person.go_online(managed)
        return person

    async def owner(self, name: str = "bob") -> Person:
        """Somebody who has opened the room, is in it, and may do everything."""
        owner = await self.person(name)
        await owner.join(self.room, name)
        return owner

    async def guest(self, name: str) -> Person:
        guest = await self.person(name)
        await guest.join(self.room, name)
        return guest

    async def settle(self, *people: Person) -> None:
        """Waits until all that these people caused has reached them all."""
        for person in people:
            await person.drain(self.room)
        for person in people:
            await person.drain(self.room)

    async def order(self, words: str) -> str:
        """Gives an order to the shell of the account's server."""
        return await self._lab.order(words)

    async def restart(self, killed: bool = False, torn: bool = False) -> None:
        """The account's server is stopped, or killed, and started again; its clients go with it. If the logs of rooms are
        torn, it was killed while it wrote into them."""
        await self._leave_host(self.host)
        await self._lab.restart(killed, torn)

    @contextlib.asynccontextmanager
    async def deaf(self) -> AsyncIterator[None]:
        """The account's server hears nothing of what happens, is killed then, and started again. Nobody gets an error."""
        await self._leave_host(self.host)
        async with self._lab.deaf():
            yield

    async def _leave_host(self, host: str) -> None:
        for person in [person for person in self.people if person.account.endswith(f"@{host}")]:
            await person.stop()
            self.people.remove(person)

    async def restart_remote(self, meanwhile: Callable[[], Awaitable[None]], killed: bool = False) -> None:
        """The server of the remote rooms is stopped, or killed, and after that started again; its clients go with it."""
        if not killed:
            await self._leave_host(FAR)

        async def without_clients() -> None:
            await self._leave_host(FAR)
            await meanwhile()

        await self._lab.restart_remote(without_clients, killed)

    async def until_logged(self, *parts: str) -> None:
        """Waits until the account's server has logged a line with all of these: nobody else sees what it does by itself."""
        async with asyncio.timeout(LOGGED_S):
            while not any(all(part in line for part in parts) for line in self.logged()):
                await asyncio.sleep(POLL_S)

    def logged(self) -> list[str]:
        return self._lab.log.read_text(errors="replace").splitlines()

    async def until_stored(self, text: str, rooms: int = 1) -> None:
        """Waits until that is stored of an account that has been in the room: a store tells nobody that it wrote.

        The names of further rooms end with that of the first.
        """
        async with asyncio.timeout(STORED_S):
            while self.stored().count(text) < rooms:
                await asyncio.sleep(POLL_S)

    async def until_archived(self, text: str) -> None:
        """Waits until that is written into the log of a room."""
        async with asyncio.timeout(STORED_S):
            while text not in self._lab.storage.logged():
                await asyncio.sleep(POLL_S)

    def stored(self) -> str:
        """All that is stored of accounts that have been in the room."""
        return "".join(text for text in self._lab.storage.records() if self.room in text)

    async def exclude(self, *patterns: str) -> None:
        """Tells the module at run time which rooms it has to leave alone."""
        await self._lab.exclude(*patterns)

    @contextlib.asynccontextmanager
    async def without_module(self) -> AsyncIterator[None]:
        """Takes the module off the account's host, and puts it back."""
        await self.order(f"module unload minimix {self.host}")
        try:
            yield
        finally:
            await self.order(f"module load minimix {self.host}")

    @property
    def is_ejabberd(self) -> bool:
        return self.kind == "remote" and self._lab.remote == "ejabberd"

    async def end(self) -> None:
        await asyncio.gather(*(person.stop() for person in self.people))

    def labels(self) -> dict[str, str]:
        """What stands for the names of this run, so that two runs look alike."""
        labels = {self.room: "ROOM", self.service: "SERVICE", self.host: "HOST"}
        for person in self.people:
            labels[person.account] = labels[person.account.partition("@")[0]] = person.account.partition("-")[0].upper()
        return labels


class ComparedScene(Scene):
    """One device, `me`, whose account is on a host with or without the module.

    What it receives is compared, and what those receive whom the story adds to `recorded`.
    """

    me: Person

    async def prepare(self, managed: bool = True) -> None:
        self.me = await self.device("me", "phone", managed=managed)
        self.recorded = [self.me]

    def known_ids(self) -> set[str]:
        return {id for person in self.people for id in person.own_ids}


class DevicesScene(Scene):
    """Several devices of one account."""

    async def phone(self, managed: bool = False) -> Person:
        return await self.device("me", "phone", managed=managed)

    async def browser(self) -> Person:
        """A device that speaks through a WebSocket."""
        browser = await self.device("me", "browser", online=False)
        browser.stream_type = WebSocketStream
        await browser.go_online()
        return browser

    async def laptop(self, managed: bool = False) -> Person:
        return await self.device("me", "laptop", managed=managed)

    async def arriving(self, resource: str) -> Person:
        """A device that comes online: what has waited for the account is part of the story."""
        device = await self.device("me", resource, online=False)
        await device.connect()
        device.send("<presence/>")
        return device

    @property
    def me(self) -> str:
        return self.account("me", self.host)

    @property
    def endpoint(self) -> Endpoint:
        return self._lab.endpoint(self.host)


class ChannelScene(DevicesScene):
    """Several devices of one account, and somebody on another host who is in the channel.

    Nicks are known on the whole IRC server, so each story has its own.
    """

    other: Person

    async def prepare(self) -> None:
        self.room = f"#{self._tag}@{self.service}"
        self.other = await self.person("other")
        await self.other.join(self.room, self.nick_of("other"))

    def nick_of(self, name: str) -> str:
        return f"{name}{self._tag.replace('-', '')}"[:30]


class JudgedScene(DevicesScene):
    """Several devices of one account, and a judge on another host, who owns the room and sees every real JID."""

    judge: Person
    _neighbour: Person | None = None
    _seen = 0  # of what the judge received

    async def prepare(self) -> None:
        self.judge = await self.owner("judge")
        await self.judge.drain(self.room)

    async def arrived(self, beyond: str = "") -> None:
        """Waits until all that the room has sent is at the account's host, whoever of the account is there.

        Then, if that is given, until all that the host has sent to a service beyond it is there.
        """
        self._neighbour = self._neighbour or await self.device("neighbour", "neighbour")
        await self._neighbour.drain(self.room)
        if beyond:
            await self._neighbour.drain(beyond)

    async def judge_saw(self, *devices: Person) -> list[Element]:
        """What the judge was shown of the account since the last question."""
        for device in devices:
            await device.drain(self.room)
        await self.judge.drain(self.room)
        news = self.judge.received[self._seen :]
        self._seen = len(self.judge.received)
        return [stanza for stanza in news if self._is_mine(stanza)]

    def _is_mine(self, stanza: Element) -> bool:
        item = xml.item(stanza)
        return item is not None and (item.get("jid") or "").partition("/")[0] == self.me

    def occupants(self) -> dict[str, str]:
        """Who is in the room for the account, as the judge sees it: nick and real JID."""
        occupants: dict[str, str] = {}
        for stanza in self.judge.received:
            if stanza.tag != xml.CLIENT + "presence" or not self._is_mine(stanza):
                continue
            nick = stanza.get("from").partition("/")[2]
            occupants.pop(nick, None)
            if stanza.get("type") is None:
                occupants[nick] = xml.item(stanza).get("jid")
        return occupants

    def check_one_occupant(self, nick: str) -> None:
        """The account occupies the room once, as itself and not as one of its sessions."""
        occupants = self.occupants()
        check(occupants == {nick: self.me}, f"the judge sees {occupants} and should see {nick} as {self.me}")

    async def sees_one(self, nick: str, *devices: Person) -> None:
        """Waits for what these devices caused; the account is in once, whatever else the judge has seen."""
        await self.judge_saw(*devices)
        self.check_one_occupant(nick)

    async def saw_nothing(self, nick: str, *devices: Person) -> None:
        """The judge has seen nothing of what these devices did since the last question, and the account is in once."""
        saw = await self.judge_saw(*devices)
        check(not saw, f"the judge sees {[xml.text(stanza) for stanza in saw]}")
        self.check_one_occupant(nick)

    def check_no_occupant(self) -> None:
        check(not self.occupants(), f"the judge still sees {self.occupants()}")
