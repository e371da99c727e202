//! Delayed delivery (XEP-0203, and XEP-0091 before it) and its stamps (XEP-0082).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Element, Stanza};

/// The namespace of `<delay/>`.
const NS_DELAY: &str = "urn:xmpp:delay";
/// The namespace of `<x/>`, which older services put in its place.
const NS_OLD_DELAY: &str = "jabber:x:delay";
/// As many digits of a fraction count.
const FRACTION_DIGITS: usize = 9;

/// A `<delay/>` that the room answers for.
pub(crate) fn element(room: &BareJid, stamp_ms: i64) -> Element {
    Element::build("delay", NS_DELAY)
        .attribute("from", room.as_str())
        .attribute("stamp", &format(stamp_ms))
        .done()
}

/// Whether the stanza carries a delay that the room itself answers for.
pub(crate) fn is_by_room(stanza: &Stanza, room: &BareJid) -> bool {
    delays(stanza, is_current).any(|delay| is_by(delay, room))
}

/// Whether the stanza was sent earlier than it came, whoever says so.
pub(crate) fn is_delayed(stanza: &Stanza) -> bool {
    delays(stanza, is_any).next().is_some()
}

/// The same, but for what the account's own server has added while the stanza waited there for a session.
pub(crate) fn is_delayed_before(stanza: &Stanza, account: &BareJid) -> bool {
    delays(stanza, is_any).any(|delay| delay.attribute("from") != Some(account.as_str()))
}

/// When the stanza was first sent: what the room says, else what anybody says, in the old form last.
pub(crate) fn stamp(stanza: &Stanza, room: &BareJid) -> Option<i64> {
    let by_room = stamp_by_room(stanza, room);
    by_room.or_else(|| delays(stanza, is_current).chain(delays(stanza, is_old)).find_map(read))
}

/// When the stanza was first sent, if the room itself says so.
pub(crate) fn stamp_by_room(stanza: &Stanza, room: &BareJid) -> Option<i64> {
    delays(stanza, is_any).filter(|delay| is_by(delay, room)).find_map(read)
}

fn delays(stanza: &Stanza, form: impl Fn(&Element) -> bool) -> impl Iterator<Item = &Element> {
    stanza.children.iter().filter(move |child| form(child))
}

fn is_any(element: &Element) -> bool {
    is_current(element) || is_old(element)
}

fn is_current(element: &Element) -> bool {
    element.is("delay", NS_DELAY)
}

fn is_old(element: &Element) -> bool {
    element.is("x", NS_OLD_DELAY)
}

fn is_by(delay: &Element, room: &BareJid) -> bool {
    delay.attribute("from") == Some(room.as_str())
}

fn read(delay: &Element) -> Option<i64> {
    parse(delay.attribute("stamp")?)
}

/// Reads a stamp as milliseconds since 1970. Without a zone it is in UTC, as in XEP-0091.
pub(crate) fn parse(stamp: &str) -> Option<i64> {
    let stamp = short_fraction(stamp.trim());
    let in_utc = || Offset::UTC.to_timestamp(stamp.parse::<DateTime>().ok()?).ok();
    stamp.parse::<Timestamp>().ok().or_else(in_utc).map(Timestamp::as_millisecond)
}

/// The stamp with no more digits in its fraction than can be read.
fn short_fraction(stamp: &str) -> String {
    let Some((whole, rest)) = stamp.split_once('.') else { return stamp.to_owned() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at(digits);
    std::format!("{whole}.{}{zone}", fraction.get(..FRACTION_DIGITS).unwrap_or(fraction))
}

/// Writes milliseconds since 1970 as a stamp, to the second.
pub(crate) fn format(stamp_ms: i64) -> String {
    Timestamp::from_second(stamp_ms.div_euclid(1_000)).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(inside: &str) -> Stanza {
        Stanza::from_xml(&format!("<message>{inside}</message>")).unwrap()
    }

    #[test]
    fn a_stamp_survives_to_the_second() {
        assert_eq!(parse("2026-11-25T17:00:00Z").map(format), Some("2026-11-25T17:00:00Z".to_owned()));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn h4_a_stamp_is_read_in_every_form() {
        for same in [
            "2026-11-25T17:00:00.25Z",
            "2026-11-25T18:00:00.250+01:00",
            "2026-11-25T16:30:00.250000-00:30",
            "2026-11-25T17:00:00.2500000000000Z",
            "2026-11-25T17:00:00.25",
            " 2026-11-25T17:00:00.25Z ",
            "20261125T17:00:00.25",
            "20261125T17:00:00.25Z",
        ] {
            assert_eq!(parse(same), Some(1_795_626_000_250), "{same}");
        }
        assert_eq!(parse("20020910T23:08:25"), parse("2002-09-10T23:08:25Z"));
    }

    #[test]
    fn the_rooms_own_delay_counts_first() {
        let room = BareJid::new("lounge@rooms.example");
        let stanza = stanza(
            "<delay xmlns='urn:xmpp:delay' from='x' stamp='2026-01-01T00:00:00Z'/>\
             <delay xmlns='urn:xmpp:delay' from='lounge@rooms.example' stamp='2026-01-02T00:00:00Z'/>",
        );
        assert!(is_by_room(&stanza, &room));
        assert_eq!(stamp(&stanza, &room), parse("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn h1_the_old_form_dates_what_no_other_does() {
        let room = BareJid::new("lounge@rooms.example");
        let old = "<x xmlns='jabber:x:delay' from='lounge@rooms.example' stamp='20260102T00:00:00'/>";
        assert_eq!(stamp(&stanza(old), &room), parse("2026-01-02T00:00:00Z"));
        assert!(is_delayed(&stanza(old)));
        assert!(!is_by_room(&stanza(old), &room), "clients do not read it");
        let unreadable = format!("<delay xmlns='urn:xmpp:delay' from='x' stamp='then'/>{old}");
        assert_eq!(stamp(&stanza(&unreadable), &room), parse("2026-01-02T00:00:00Z"));
        assert_eq!(stamp(&stanza("<body>a</body>"), &room), None);
    }
}
