"""What ejabberd's rooms do otherwise than Prosody's, and the module evens out for its clients.

No client can rely on it, since other services do it otherwise, so it is taken out of both sides of a comparison:
- It has a presence of its own, which it takes back right before an occupant's leave. The module answers a leave itself
  (L1), as Prosody would. The id of that presence is made anew for each occupant, and a replay has none.
- It stamps the presence under a new nick with the id of the join; the module with that of the request (N3).
- It forgets the 110 when a room is destroyed, the module does not (K1).
- It puts show and status behind everything else.
- It names who invites by real JID, in the invitation and in a text: the account and not the session, if it was us.
"""

from collections.abc import Iterator
from copy import deepcopy
from xml.etree.ElementTree import Element

from client import xml
from client.xml import CLIENT


def without_peculiarities(stanzas: list[Element], known_ids: set[str]) -> list[Element]:
    """Returns copies of the stanzas that can be compared with those of the module."""
    kept = [stanza for stanza, after in _with_next(stanzas) if not _announces_leave(stanza, after, known_ids)]
    before = [None, *kept]
    return [_evened(stanza, previous) for stanza, previous in zip(kept, before, strict=False)]


def _with_next(stanzas: list[Element]) -> Iterator[tuple[Element, Element | None]]:
    return zip(stanzas, [*stanzas[1:], None], strict=False)


def _is_of_room(stanza: Element) -> bool:
    return stanza.tag == CLIENT + "presence" and "@" in stanza.get("from", "") and "/" not in stanza.get("from")


def _announces_leave(stanza: Element, after: Element | None, known_ids: set[str]) -> bool:
    is_end = stanza.get("type") == "unavailable" and _is_of_room(stanza)
    return is_end and after is not None and after.get("type") == "unavailable" and after.get("id") in known_ids


def _evened(stanza: Element, previous: Element | None) -> Element:
    copy = deepcopy(stanza)
    if stanza.tag == CLIENT + "message":
        _name_account_as_inviter(copy)
    if stanza.tag != CLIENT + "presence":
        return copy
    copy[:] = sorted(copy, key=lambda child: not child.tag.startswith(CLIENT))
    follows_nick_change = previous is not None and "303" in xml.codes(previous)
    if _is_of_room(stanza) or follows_nick_change:
        copy.attrib.pop("id", None)
    x = copy.find(f"{{{xml.MUC_USER}}}x")
    if x is not None and x.find(f"{{{xml.MUC_USER}}}destroy") is not None:
        copy[list(copy).index(x)] = _without_codes(x)
    return copy


def _name_account_as_inviter(message: Element) -> None:
    invite = message.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}invite")
    body = message.find(CLIENT + "body")
    if invite is None or body is None:
        return
    inviter = invite.get("from", "")
    account = inviter.partition("/")[0]
    invite.set("from", account)
    body.text = (body.text or "").replace(inviter, account)


def _without_codes(x: Element) -> Element:
    copy = Element(x.tag, dict(x.attrib))
    copy.extend(child for child in x if not child.tag.endswith("}status"))
    return copy
