"""Stanzas as they come from the stream, and what tests ask of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

CLIENT = "{jabber:client}"
STREAM = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
SM = "{urn:xmpp:sm:3}"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
MUC_ADMIN = "http://jabber.org/protocol/muc#admin"
MUC_OWNER = "http://jabber.org/protocol/muc#owner"
DATA = "jabber:x:data"
DISCO = "http://jabber.org/protocol/disco#info"
DISCO_INFO = f"<query xmlns='{DISCO}'/>"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DELAY = "{urn:xmpp:delay}delay"

__all__ = ["Element", "escape", "quoteattr"]


def kind(stanza: Element) -> str:
    """The name without its namespace."""
    return stanza.tag.rpartition("}")[2]


def text(element: Element) -> str:
    """The element as XML, for people."""
    return ElementTree.tostring(element, encoding="unicode")


def codes(stanza: Element) -> set[str]:
    """The status codes of a room's presence or message."""
    return {status.get("code", "") for status in stanza.iterfind(f"{{{MUC_USER}}}x/{{{MUC_USER}}}status")}


def item(stanza: Element) -> Element | None:
    return stanza.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}item")


def condition(stanza: Element) -> str | None:
    """The condition of an error stanza."""
    error = stanza.find(CLIENT + "error")
    if error is None:
        return None
    names = [kind(child) for child in error if child.tag.startswith(f"{{{STANZA_ERRORS}}}")]
    return next((name for name in names if name != "text"), None)


def self_presence(stanzas: Iterable[Element]) -> Element:
    """The first presence with which the room tells somebody about himself."""
    return next(stanza for stanza in stanzas if "110" in codes(stanza))


def error(type: str, condition: str) -> str:
    """The payload of an error stanza."""
    return f"<error type='{type}'><{condition} xmlns='{STANZA_ERRORS}'/></error>"


def form(type: str, fields: Mapping[str, Iterable[str]]) -> str:
    """A form that is filled in, of that FORM_TYPE, with the values of each field."""

    def field(name: str, values: Iterable[str]) -> str:
        return f"<field var='{name}'>{''.join(f'<value>{escape(value)}</value>' for value in values)}</field>"

    filled = "".join(field(name, values) for name, values in {"FORM_TYPE": [type], **fields}.items())
    return f"<x xmlns='{DATA}' type='submit'>{filled}</x>"


@dataclass(frozen=True)
class Match:
    """A question about a stanza, and its words for the report of a failure."""

    holds: Callable[[Element], bool]
    words: str

    def __call__(self, stanza: Element) -> bool:
        return self.holds(stanza)

    def __or__(self, other: "Match") -> "Match":
        return Match(lambda stanza: self(stanza) or other(stanza), f"{self.words}, or {other.words}")


def _described(name: str, **wanted: object) -> str:
    return " ".join([name, *(f"{key}={value!r}" for key, value in wanted.items() if value is not None)])


def presence(
    sender: str | None = None, type: str | None = None, status: set[str] = frozenset(), id: str | None = None
) -> Match:
    """A presence of exactly this type (None is available) that has all these status codes."""

    def holds(stanza: Element) -> bool:
        return (
            stanza.tag == CLIENT + "presence"
            and stanza.get("type") == type
            and (sender is None or stanza.get("from") == sender)
            and (id is None or stanza.get("id") == id)
            and set(status) <= codes(stanza)
        )

    return Match(holds, _described("presence", sender=sender, type=type or "available", status=sorted(status), id=id))


def presence_error(id: str) -> Match:
    return presence(type="error", id=id)


def message(
    body: str | None = None, sender: str | None = None, id: str | None = None, type: str | None = None
) -> Match:
    def holds(stanza: Element) -> bool:
        return (
            stanza.tag == CLIENT + "message"
            and (body is None or stanza.findtext(CLIENT + "body") == body)
            and (sender is None or stanza.get("from") == sender)
            and (id is None or stanza.get("id") == id)
            and (type is None or stanza.get("type") == type)
        )

    return Match(holds, _described("message", body=body, sender=sender, id=id, type=type))


def is_subject(stanza: Element) -> bool:
    return (
        stanza.tag == CLIENT + "message"
        and stanza.get("type") == "groupchat"
        and stanza.find(CLIENT + "subject") is not None
        and stanza.find(CLIENT + "body") is None
        and stanza.find(CLIENT + "thread") is None
    )


def subject(value: str | None = None) -> Match:
    def holds(stanza: Element) -> bool:
        return is_subject(stanza) and (value is None or (stanza.findtext(CLIENT + "subject") or "") == value)

    return Match(holds, _described("subject", value=value))


def answer(id: str) -> Match:
    """The result or error of a query."""

    def holds(stanza: Element) -> bool:
        return stanza.tag == CLIENT + "iq" and stanza.get("id") == id and stanza.get("type") in ("result", "error")

    return Match(holds, f"the answer to {id}")
