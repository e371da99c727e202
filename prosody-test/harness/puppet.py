"""A room that is pulled on strings: what no stock room would do, and when a slow one would do it."""

from client import xml
from client.person import Person
from client.xml import Element, Match, escape, quoteattr
from harness.scene import DevicesScene

PUPPET = "urn:lab:puppet"
GOT = f"{{{PUPPET}}}got"
JOIN = Match(lambda stanza: stanza.find(f"{{{xml.MUC}}}x") is not None and stanza.get("type") is None, "a join")


def _inside(stanza: Element) -> Element | None:
    got = stanza.find(GOT)
    return None if got is None else got[0]


class ScriptedScene(DevicesScene):
    """Several devices, and a puppet for the room; `handler` pulls its strings from another server."""

    handler: Person

    async def prepare(self) -> None:
        self.handler = await self.person("handler")
        self.handler.room = self.room
        await self.emit("")

    async def emit(self, stanzas: str) -> None:
        """Sends stanzas as the room, and waits until it has."""
        self.handler.send(f"<message to='{self.room}'><emit xmlns='{PUPPET}'>{stanzas}</emit></message>")
        await self.handler.synchronise()

    async def got(self, match: Match) -> Element:
        """Returns the next stanza that matches and that came for the room."""
        wrapped = Match(
            lambda stanza: _inside(stanza) is not None and match(_inside(stanza)), f"for the room, {match.words}"
        )
        return _inside(await self.handler.expect(wrapped))

    async def drain(self, device: Person) -> list[Element]:
        """Returns all that the room's earlier stanzas still bring to the device."""
        id = device.send_query("get", self.room, xml.DISCO_INFO)
        asked = await self.got(Match(lambda stanza: stanza.tag == xml.CLIENT + "iq", "a query"))
        await self.answer(asked)
        return (await device.until(xml.answer(id)))[:-1]

    async def answer(self, query: Element) -> None:
        """Answers a query with an empty result, from where it was sent to."""
        addresses = f"id='{query.get('id')}' from={quoteattr(query.get('to'))} to='{query.get('from')}'"
        await self.emit(f"<iq xmlns='jabber:client' type='result' {addresses}/>")

    async def asked_in(self, device: Person) -> Element:
        """Lets a device ask to join; returns the join that goes up for it."""
        device.send_join(self.room, "me")
        return await self.got(JOIN)

    async def let_in(self, join: Element, nick: str = "") -> None:
        """Answers a join as a small room would."""
        to, own = join.get("from"), f"{self.room}/{nick}" if nick else join.get("to")
        await self.emit(
            self.presence(f"{self.room}/other", to, item="affiliation='owner' role='moderator'")
            + self.presence(own, to, codes=("110",), id=join.get("id"))
            + self.message(self.room, to, "<subject/>")
        )

    def presence(
        self,
        sender: str,
        to: str,
        codes: tuple[str, ...] = (),
        id: str | None = None,
        type: str | None = None,
        item: str = "affiliation='none' role='participant'",
        more: str = "",
    ) -> str:
        attributes = "".join(f" {name}='{value}'" for name, value in (("id", id), ("type", type)) if value)
        status = "".join(f"<status code='{code}'/>" for code in codes)
        x = f"<x xmlns='{xml.MUC_USER}'><item {item}/>{status}</x>"
        return f"<presence xmlns='jabber:client' from='{escape(sender)}' to='{to}'{attributes}>{more}{x}</presence>"

    def message(self, sender: str, to: str, payload: str, type: str = "groupchat") -> str:
        return f"<message xmlns='jabber:client' from='{escape(sender)}' to='{to}' type='{type}'>{payload}</message>"
