//! What an archive is asked, page by page, and what it answers (XEP-0313, XEP-0059).

use crate::xmpp::delay;
use crate::xmpp::stanza::{Element, ElementBuilder, IqType, Kind, Stanza};

/// The namespace of the ids that rooms, archives and authors give (XEP-0359).
pub(crate) const NS_STANZA_ID: &str = "urn:xmpp:sid:0";
const NS_MAM: &str = "urn:xmpp:mam:2";
const NS_RSM: &str = "http://jabber.org/protocol/rsm";
const NS_FORWARD: &str = "urn:xmpp:forward:0";
const NS_FORM: &str = "jabber:x:data";
const NS_DELAY: &str = "urn:xmpp:delay";

/// Which messages an archive is asked for. What it shows begins with the oldest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those after the message of that id.
    After(Box<str>),
    /// Those from that time on, in milliseconds since 1970.
    Since(i64),
    /// The last before a message, or before now, within those times.
    Before { id: Option<Box<str>>, since_ms: Option<i64>, until_ms: Option<i64> },
}

/// A message as an archive shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archived {
    /// The archive's own id, which is the stanza-id by its owner (XEP-0359).
    pub(crate) id: Box<str>,
    /// When the message was sent, in milliseconds since 1970.
    pub(crate) stamp_ms: Option<i64>,
    pub(crate) message: Stanza,
}

/// The end of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Whether nothing follows.
    pub(crate) is_last: bool,
    /// The id of its first message.
    pub(crate) first: Option<Box<str>>,
    /// The id of its last message.
    pub(crate) last: Option<Box<str>>,
}

/// The query for those messages, so many at most. Prosody and ejabberd take the id in `<after/>`.
pub(crate) fn query(queryid: &str, wanted: &Wanted, most: usize) -> Element {
    let query = Element::build("query", NS_MAM).attribute("queryid", queryid);
    let max = Element::build("max", NS_RSM).text(&most.to_string()).done();
    let page = Element::build("set", NS_RSM).child(max);
    match wanted {
        Wanted::After(id) => {
            let after = Element::build("after", NS_RSM).text(id).done();
            query.child(page.child(after).done()).done()
        }
        Wanted::Since(stamp_ms) => query.child(form(Some(*stamp_ms), None)).child(page.done()).done(),
        Wanted::Before { id, since_ms, until_ms } => {
            let before = Element::build("before", NS_RSM);
            let before = id.iter().fold(before, |before, id| before.text(id)).done();
            let is_limited = since_ms.is_some() || until_ms.is_some();
            let form = is_limited.then(|| form(*since_ms, *until_ms));
            let query = form.into_iter().fold(query, ElementBuilder::child);
            query.child(page.child(before).done()).done()
        }
    }
}

fn form(start_ms: Option<i64>, end_ms: Option<i64>) -> Element {
    let field = |name, value: &str| {
        let value = Element::build("value", NS_FORM).text(value).done();
        Element::build("field", NS_FORM).attribute("var", name).child(value)
    };
    let form = Element::build("x", NS_FORM)
        .attribute("type", "submit")
        .child(field("FORM_TYPE", NS_MAM).attribute("type", "hidden").done());
    let times = [("start", start_ms), ("end", end_ms)].into_iter();
    let times = times.filter_map(|(name, at_ms)| Some(field(name, &delay::format(at_ms?)).done()));
    times.fold(form, ElementBuilder::child).done()
}

/// The result of that query in a message, if it is one.
pub(crate) fn result<'a>(message: &'a Stanza, queryid: &str) -> Option<&'a Element> {
    message.find("result", NS_MAM).filter(|result| result.attribute("queryid") == Some(queryid))
}

impl Archived {
    /// Reads a result.
    pub(crate) fn read(result: &Element) -> Option<Self> {
        let forwarded = result.elements().find(|child| child.is("forwarded", NS_FORWARD))?;
        let delay = forwarded.elements().find(|child| child.is("delay", NS_DELAY));
        let message = forwarded.elements().find(|child| &*child.name == "message")?;
        Some(Self {
            id: result.attribute("id")?.into(),
            stamp_ms: delay.and_then(|delay| delay.attribute("stamp")).and_then(delay::parse),
            message: Stanza::of_element(message.clone())?,
        })
    }
}

impl Page {
    /// Reads the answer to a query.
    pub(crate) fn read(answer: &Stanza) -> Option<Self> {
        if answer.kind != Kind::Iq(IqType::Result) {
            return None;
        }
        let fin = answer.find("fin", NS_MAM)?;
        let set = fin.elements().find(|child| child.is("set", NS_RSM));
        let id = |name| {
            let text = set.and_then(|set| set.find(name)).map(Element::text);
            text.filter(|id| !id.is_empty()).map(Into::into)
        };
        let is_last = matches!(fin.attribute("complete"), Some("true" | "1"));
        Some(Self { is_last, first: id("first"), last: id("last") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(xml: &str) -> Stanza {
        Stanza::from_xml(xml).unwrap()
    }

    #[test]
    fn a_page_ends_the_archive_or_goes_on() {
        let page = |fin: &str| Page::read(&stanza(&format!("<iq type='result'>{fin}</iq>")));
        let set = "<set xmlns='http://jabber.org/protocol/rsm'><first>a</first><last>b</last></set>";
        let goes_on = page(&format!("<fin xmlns='urn:xmpp:mam:2'>{set}</fin>")).unwrap();
        assert_eq!((goes_on.is_last, goes_on.last.as_deref()), (false, Some("b")));
        let ends = page("<fin xmlns='urn:xmpp:mam:2' complete='true'/>").unwrap();
        assert_eq!((ends.is_last, ends.last), (true, None));
        assert_eq!(page(""), None);
    }

    #[test]
    fn a_result_is_of_its_query_and_has_an_id() {
        let message = |attributes: &str| {
            stanza(&format!(
                "<message><result xmlns='urn:xmpp:mam:2' {attributes}><forwarded xmlns='urn:xmpp:forward:0'>\
                 <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:07Z'/>\
                 <message xmlns='jabber:client' type='groupchat' from='r@s/bob'/></forwarded></result></message>"
            ))
        };
        let good = message("queryid='q' id='7'");
        let archived = Archived::read(result(&good, "q").unwrap()).unwrap();
        assert_eq!((&*archived.id, archived.stamp_ms), ("7", Some(7_000)));
        assert_eq!(result(&good, "other"), None);
        assert_eq!(Archived::read(result(&message("queryid='q'"), "q").unwrap()), None);
    }
}
