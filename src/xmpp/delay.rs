//! Delayed delivery (XEP-0203) and its stamps (XEP-0082).

use jiff::Timestamp;

use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Element, Stanza};

/// The namespace of `<delay/>`.
pub(crate) const NS_DELAY: &str = "urn:xmpp:delay";

/// A `<delay/>` that the room answers for.
pub(crate) fn element(room: &BareJid, stamp_ms: i64) -> Element {
    Element::build("delay", NS_DELAY)
        .attribute("from", room.as_str())
        .attribute("stamp", &format(stamp_ms))
        .done()
}

/// Whether the stanza carries a delay that the room itself answers for.
pub(crate) fn is_by_room(stanza: &Stanza, room: &BareJid) -> bool {
    delays(stanza).any(|delay| delay.attribute("from") == Some(room.as_str()))
}

/// Whether the stanza was sent earlier than it came, whoever says so.
pub(crate) fn is_delayed(stanza: &Stanza) -> bool {
    delays(stanza).next().is_some()
}

/// When the stanza was first sent: what the room says, else what anybody says.
pub(crate) fn stamp(stanza: &Stanza, room: &BareJid) -> Option<i64> {
    let by_room = delays(stanza).find(|delay| delay.attribute("from") == Some(room.as_str()));
    by_room.or_else(|| delays(stanza).next()).and_then(|delay| parse(delay.attribute("stamp")?))
}

fn delays(stanza: &Stanza) -> impl Iterator<Item = &Element> {
    stanza.children.iter().filter(|child| child.is("delay", NS_DELAY))
}

/// Reads a stamp as milliseconds since 1970.
pub(crate) fn parse(stamp: &str) -> Option<i64> {
    stamp.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Writes milliseconds since 1970 as a stamp, to the second.
pub(crate) fn format(stamp_ms: i64) -> String {
    Timestamp::from_second(stamp_ms.div_euclid(1_000)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_to_the_second() {
        assert_eq!(parse("2026-11-25T17:00:00Z").map(format), Some("2026-11-25T17:00:00Z".to_owned()));
        assert_eq!(parse("2026-11-25T18:00:00.250+01:00"), parse("2026-11-25T17:00:00.25Z"));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn the_rooms_own_delay_counts_first() {
        let room = BareJid::new("lounge@rooms.example");
        let xml = "<message><delay xmlns='urn:xmpp:delay' from='x' stamp='2026-01-01T00:00:00Z'/>\
                   <delay xmlns='urn:xmpp:delay' from='lounge@rooms.example' stamp='2026-01-02T00:00:00Z'/></message>";
        let stanza = Stanza::from_xml(xml).unwrap();
        assert!(is_by_room(&stanza, &room));
        assert_eq!(stamp(&stanza, &room), parse("2026-01-02T00:00:00Z"));
    }
}
