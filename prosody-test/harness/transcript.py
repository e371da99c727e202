"""What a client received, written so that two runs of one story can be compared.

Taken out is what must differ between two runs: own JIDs and host, the room's name, stamps, ids that servers made, and
the order of attributes. The others' presences within a join come in an order that no room promises, so they are sorted.

Also taken out is what no client can rely on, since a stock server adds it by chance of the path that a stanza takes:
- Prosody stamps each presence that it makes of an occupant with the id of the last one that the occupant sent. Such a
  stale id answers nothing.
- It puts delay and stanza-id into history in either order, by where it had the message from.
- Who acted is named by real JID to moderators: the account and not the session, if it was us.
- s2s adds the stream's language, also to what has no text.
- Its archive leaves the account's stanza-id in an error that comes by s2s, and its room invents an id for a message
  without one, which then is in the error (M1 takes it off).
- It addresses the refusal of a subscription to the account (J6 puts the session there).
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from client import xml
from client.raw import MARKER
from client.xml import CLIENT
from ejabberd import without_peculiarities

STAMP = re.compile(r"\d{4}-?\d\d-?\d\dT\d\d:?\d\d:?\d\d(\.\d+)?Z?$")
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
ACTOR = f"{{{xml.MUC_USER}}}actor"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
ARCHIVED = "{urn:xmpp:mam:tmp}archived"  # what ejabberd puts beside the stanza-id
OCCUPANT_ID = "{urn:xmpp:occupant-id:0}occupant-id"
# What takes a message back, by its stanza-id.
RETRACT = "{urn:xmpp:message-retract:1}retract"
APPLY_TO = "{urn:xmpp:fasten:0}apply-to"
# Elements whose id a server makes.
SERVER_IDS = dict.fromkeys((STANZA_ID, ARCHIVED, RETRACT, APPLY_TO), "STANZA-ID") | {OCCUPANT_ID: "OCCUPANT"}


class Normaliser:
    """Writes what came; `is_ejabberd` says whose rooms it came from."""

    def __init__(
        self,
        labels: Mapping[str, str],
        known_ids: set[str],
        ignored_codes: frozenset[str] = frozenset(),
        is_ejabberd: bool = False,
    ):
        # The longest first: a full JID contains its bare one.
        self._labels = sorted(labels.items(), key=lambda label: -len(label[0]))
        self._known_ids = known_ids
        self._ignored_codes = ignored_codes
        self._is_ejabberd = is_ejabberd
        self._occupants: dict[str, str] = {}

    def lines(self, stanzas: Iterable[Element]) -> list[str]:
        """Returns the stanzas as lines, a blank one behind each."""
        kept = [stanza for stanza in stanzas if not (stanza.get("id") or "").startswith(MARKER)]
        for stanza in kept:
            self._learn_occupant(stanza)
        if self._is_ejabberd:
            kept = without_peculiarities(kept, self._known_ids)
        kept = [_without_chance(stanza, self._known_ids) for stanza in _without_stale_ids(kept)]
        written = [(stanza, self._element(stanza, "")) for stanza in kept]
        return [line for lines in _sorted_within_joins(written) for line in [*lines, ""]]

    def _learn_occupant(self, stanza: Element) -> None:
        occupant = stanza.find(OCCUPANT_ID)
        if occupant is not None:
            nick = (stanza.get("from") or "").partition("/")[2]
            self._occupants.setdefault(occupant.get("id", ""), f"OCCUPANT({nick})")

    def _element(self, element: Element, indent: str) -> list[str]:
        if element.tag.endswith("}status") and element.get("code") in self._ignored_codes:
            return []
        attributes = "".join(f" {name}={value!r}" for name, value in sorted(self._attributes(element).items()))
        text = self._value("", (element.text or "").strip())
        head = f"{indent}{element.tag.replace(CLIENT, '')}{attributes}{f': {text}' if text else ''}"
        return [head, *(line for child in element for line in self._element(child, indent + "  "))]

    def _attributes(self, element: Element) -> dict[str, str]:
        attributes = {name: self._value(name, value) for name, value in element.attrib.items()}
        if element.tag in SERVER_IDS and "id" in attributes:
            attributes["id"] = self._occupants.get(element.get("id", ""), SERVER_IDS[element.tag])
        elif element.tag == ACTOR and "jid" in attributes:
            attributes["jid"] = attributes["jid"].partition("/")[0]
        elif element.tag.startswith(CLIENT) and "id" in attributes and element.get("id") not in self._known_ids:
            attributes["id"] = "MADE-BY-SERVER"
        return attributes

    def _value(self, name: str, value: str) -> str:
        if name == "stamp" and STAMP.match(value):
            return "STAMP"
        for literal, label in self._labels:
            value = value.replace(literal, label)
        return value


def _without_stale_ids(stanzas: list[Element]) -> list[Element]:
    """Takes the id from presences that repeat that of an earlier one, unless it stands right before them."""
    result: list[Element] = []
    seen: set[str] = set()
    last = None
    for stanza in stanzas:
        current = stanza.get("id")
        is_stale = stanza.tag == CLIENT + "presence" and current in seen and current != last
        result.append(_without_id(stanza) if is_stale else stanza)
        last = None if is_stale else current
        if current:
            seen.add(current)
    return result


def _without_id(stanza: Element) -> Element:
    copy = _copy(stanza)
    del copy.attrib["id"]
    return copy


def _without_chance(stanza: Element, known_ids: set[str]) -> Element:
    """Takes out the rest of what depends on the path."""
    stanza = _copy(stanza)
    if stanza.tag != CLIENT + "presence" and not "".join(stanza.itertext()).strip():
        stanza.attrib.pop(LANGUAGE, None)
    if stanza.tag == CLIENT + "message" and stanza.get("type") == "error":
        if stanza.get("id") not in known_ids:
            stanza.attrib.pop("id", None)
        for child in stanza.findall(STANZA_ID):
            if child.get("by") == (stanza.get("to") or "").partition("/")[0]:
                stanza.remove(child)
    if stanza.tag == CLIENT + "presence" and stanza.get("type") == "error" and "/" not in stanza.get("from", ""):
        stanza.set("to", stanza.get("to", "").partition("/")[0])
    by_chance = sorted(stanza.findall(STANZA_ID) + stanza.findall(xml.DELAY), key=lambda child: child.tag)
    for child in by_chance:
        stanza.remove(child)
        stanza.append(child)
    return stanza


def _copy(stanza: Element) -> Element:
    copy = Element(stanza.tag, dict(stanza.attrib))
    copy.text = stanza.text
    copy.extend(stanza)
    return copy


def _sorted_within_joins(written: list[tuple[Element, list[str]]]) -> list[list[str]]:
    """Sorts each run of others' presences that ends with a self-presence."""
    result: list[list[str]] = []
    run: list[list[str]] = []
    for stanza, lines in written:
        if _is_occupant(stanza):
            run.append(lines)
            continue
        result += sorted(run) if _is_self(stanza) else run
        run = []
        result.append(lines)
    return result + run


def _is_occupant(stanza: Element) -> bool:
    return stanza.tag == CLIENT + "presence" and stanza.get("type") is None and not _is_self(stanza)


def _is_self(stanza: Element) -> bool:
    return stanza.tag == CLIENT + "presence" and stanza.get("type") is None and "110" in xml.codes(stanza)


def difference(stock: list[str], ours: list[str]) -> str:
    """Returns what `ours` has otherwise, or nothing."""
    lines = difflib.unified_diff(stock, ours, "without the module", "with the module", lineterm="", n=4)
    return "\n".join(lines)
