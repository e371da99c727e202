"""Somebody who uses rooms: the usual stanzas of a client, each with the answer that a client waits for."""

from client import xml
from client.raw import TIMEOUT_S, RawClient
from client.xml import Element, escape, quoteattr


class Person(RawClient):
    """A client that knows one room."""

    room = ""
    nick = ""

    @property
    def occupant_jid(self) -> str:
        return f"{self.room}/{self.nick}"

    # ---- joining and leaving ----

    def send_join(self, room: str, nick: str, inside: str = "", beside: str = "") -> str:
        """Sends a join and returns its id; `inside` goes into its <x/>, `beside` next to it."""
        self.room, self.nick = room, nick
        id = self.new_id("join")
        x = f"<x xmlns='{xml.MUC}'>{inside}</x>"
        self.send(f"<presence id='{id}' to={quoteattr(self.occupant_jid)}>{x}{beside}</presence>")
        return id

    async def join(self, room: str, nick: str, inside: str = "", beside: str = "") -> list[Element]:
        """Joins, and returns all that came up to the subject."""
        self.send_join(room, nick, inside, beside)
        return await self.joined()

    async def joined(self) -> list[Element]:
        came = await self.until(xml.presence(status={"110"}) | xml.presence(type="error"))
        if came[-1].get("type") == "error":
            raise AssertionError(f"{self.jid} could not join: {xml.text(came[-1])}")
        self.nick = came[-1].get("from").partition("/")[2]
        return came + await self.until(xml.subject())

    async def refused(self, room: str, nick: str, inside: str = "") -> str | None:
        """Tries to join, and returns the condition of the refusal."""
        id = self.send_join(room, nick, inside)
        return xml.condition(await self.expect(xml.presence_error(id)))

    def send_leave(self, status: str = "") -> str:
        id = self.new_id("leave")
        self.send(self.leave_stanza(id, status))
        return id

    def leave_stanza(self, id: str, status: str = "") -> str:
        words = f"<status>{escape(status)}</status>" if status else ""
        return f"<presence type='unavailable' id='{id}' to={quoteattr(self.occupant_jid)}>{words}</presence>"

    async def leave(self, status: str = "") -> Element:
        self.send_leave(status)
        return await self.expect(xml.presence(type="unavailable", status={"110"}))

    # ---- within the room ----

    def send_message(self, body: str, to: str | None = None, extra: str = "") -> str:
        """Sends to the room, or privately to one occupant."""
        id = self.new_id("message")
        type = "chat" if to else "groupchat"
        payload = f"<body>{escape(body)}</body>{extra}"
        self.send(f"<message type='{type}' id='{id}' to={quoteattr(to or self.room)}>{payload}</message>")
        return id

    async def say(self, body: str, extra: str = "") -> Element:
        """Says something, and waits until the room reflects it."""
        id = self.send_message(body, extra=extra)
        return await self.expect(xml.message(body=body, id=id))

    async def set_subject(self, text: str) -> Element:
        id = self.new_id("subject")
        self.send(f"<message type='groupchat' id='{id}' to='{self.room}'><subject>{escape(text)}</subject></message>")
        return await self.expect(xml.subject(text))

    def send_presence(self, payload: str, nick: str | None = None) -> str:
        """Sends an update, or asks for another nick."""
        id = self.new_id("presence")
        self.send(f"<presence id='{id}' to={quoteattr(f'{self.room}/{nick or self.nick}')}>{payload}</presence>")
        return id

    async def update(self, payload: str) -> Element:
        self.send_presence(payload)
        return await self.expect(xml.presence(sender=self.occupant_jid))

    async def change_nick(self, nick: str) -> Element:
        self.send_presence("", nick)
        await self.expect(xml.presence(type="unavailable", status={"303", "110"}))
        self.nick = nick
        return await self.expect(xml.presence(sender=self.occupant_jid))

    # ---- queries ----

    def send_query(self, type: str, to: str, payload: str) -> str:
        id = self.new_id("query")
        self.send(f"<iq type='{type}' id='{id}' to={quoteattr(to)}>{payload}</iq>")
        return id

    async def query(self, type: str, to: str, payload: str, timeout: float = TIMEOUT_S) -> Element:
        return await self.expect(xml.answer(self.send_query(type, to, payload)), timeout)

    def answer(self, question: Element, payload: str = "") -> None:
        """Answers somebody's query with a result."""
        addresses = f"id='{question.get('id')}' to={quoteattr(question.get('from'))}"
        self.send(f"<iq type='result' {addresses}>{payload}</iq>")

    async def ping(self, to: str) -> Element:
        return await self.query("get", to, "<ping xmlns='urn:xmpp:ping'/>")

    async def command(self, payload: str, namespace: str = xml.MUC_ADMIN) -> None:
        """Sends an admin's or owner's command, which must succeed."""
        result = await self.query("set", self.room, f"<query xmlns='{namespace}'>{payload}</query>")
        if result.get("type") != "result":
            raise AssertionError(f"the room refused {payload}: {xml.text(result)}")

    async def kick(self, nick: str, reason: str) -> None:
        await self.command(f"<item nick={quoteattr(nick)} role='none'><reason>{reason}</reason></item>")

    async def affiliate(self, account: str, affiliation: str, reason: str = "") -> None:
        words = f"<reason>{reason}</reason>" if reason else ""
        await self.command(f"<item jid='{account}' affiliation='{affiliation}'>{words}</item>")

    async def destroy(self, reason: str) -> None:
        await self.command(f"<destroy><reason>{reason}</reason></destroy>", xml.MUC_OWNER)

    async def stop_archiving(self) -> None:
        """Turns the room's archive off, by the name that its form has for it."""
        form = await self.query("get", self.room, f"<query xmlns='{xml.MUC_OWNER}'/>")
        names = {field.get("var", "") for field in form.iter(f"{{{xml.DATA}}}field")}
        [name] = names & {"muc#roomconfig_enablearchiving", "muc#roomconfig_mam", "mam"}
        await self._submit({name: ["0"]})

    async def configure(self, **fields: str | list[str]) -> None:
        """Sets fields of the room, named without `muc#roomconfig_`; a list if a field has several values."""
        values = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
        await self._submit({f"muc#roomconfig_{name}": value for name, value in values.items()})

    async def _submit(self, fields: dict[str, list[str]]) -> None:
        await self.command(xml.form("http://jabber.org/protocol/muc#roomconfig", fields), xml.MUC_OWNER)
