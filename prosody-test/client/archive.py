"""What a client asks its own archive, with the messages of rooms: XEP-0313, XEP-0059."""

from client import xml
from client.person import Person
from client.raw import TIMEOUT_S
from client.xml import Element

MAM = "{urn:xmpp:mam:2}"
RSM = "{http://jabber.org/protocol/rsm}"


class Page:
    """What the archive has answered."""

    def __init__(self, results: list[Element], fin: Element):
        self.results, self.fin = results, fin
        self.is_complete = fin.get("complete") == "true"
        self.last = fin.findtext(f"{RSM}set/{RSM}last")
        self.count = fin.findtext(f"{RSM}set/{RSM}count")

    @property
    def ids(self) -> list[str | None]:
        return [result.get("id") for result in self.results]

    @property
    def bodies(self) -> list[str | None]:
        return [result.findtext(f".//{xml.CLIENT}body") for result in self.results]


async def asks(
    person: Person, inside: str = "", groupchat: str | None = "true", timeout: float = TIMEOUT_S, **fields: str
) -> Page | str | None:
    """A page of the archive, or the condition of the error."""
    if groupchat is not None:
        fields["include-groupchat"] = groupchat
    form = xml.form("urn:xmpp:mam:2", {name.replace("_", "-"): [value] for name, value in fields.items()})
    queryid = person.new_id("archive")
    query = f"<query xmlns='urn:xmpp:mam:2' queryid='{queryid}'>{form}{inside}</query>"
    answer = await person.query("set", person.account, query, timeout)
    fin = answer.find(f"{MAM}fin")
    if fin is None:
        return xml.condition(answer)
    found = [stanza.find(f"{MAM}result") for stanza in person.received]
    return Page([result for result in found if result is not None and result.get("queryid") == queryid], fin)


def page(max: int = 50, **places: str) -> str:
    inside = "".join(f"<{place}>{id}</{place}>" for place, id in places.items())
    return f"<set xmlns='http://jabber.org/protocol/rsm'><max>{max}</max>{inside}</set>"


async def all_pages(person: Person, **fields: str) -> list[Page]:
    pages = [await asks(person, page(), **fields)]
    while not pages[-1].is_complete:
        pages.append(await asks(person, page(after=pages[-1].last), **fields))
    return pages
