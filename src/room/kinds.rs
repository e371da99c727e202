//! What rooms have told of themselves (XEP-0045 §6.4). Each is asked once, whichever accounts are in.

use serde::{Deserialize, Serialize};

use super::latest::Latest;
use crate::config::limit;
use crate::event::Now;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Element, IqType, Kind, Stanza};

/// The namespace of what somebody says of itself (XEP-0030).
pub(crate) const NS_DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
const NS_MAM: &str = "urn:xmpp:mam:2";

/// What rooms have told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kinds(Latest<Known>);

/// What is known of a room.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    told: Option<Told>,
    /// Whether the room has been configured since.
    is_outdated: bool,
    /// When it was last asked, and by which query.
    asked: Option<(u64, Box<str>)>,
}

/// What a room has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    has_archive: bool,
    /// Nothing if it has answered with an error.
    members_only: Option<bool>,
}

impl Told {
    /// Reads what a room answers. What it does not name it has not.
    pub(crate) fn read(answer: &Stanza) -> Self {
        let query = answer.find("query", NS_DISCO_INFO).filter(|_| answer.kind == Kind::Iq(IqType::Result));
        let names = |query: &Element, feature: &str| {
            query
                .elements()
                .any(|child| child.is("feature", NS_DISCO_INFO) && child.attribute("var") == Some(feature))
        };
        Self {
            has_archive: query.is_some_and(|query| names(query, NS_MAM)),
            members_only: query.map(|query| names(query, "muc_membersonly")),
        }
    }
}

impl Kinds {
    /// Whether the room has an archive of its own (XEP-0313), if it has told.
    pub(crate) fn has_archive(&self, room: &BareJid) -> Option<bool> {
        let known = self.0.get(room).filter(|known| !known.is_outdated)?;
        known.told.map(|told| told.has_archive)
    }

    /// Whether the room was for members only when it last told.
    pub(crate) fn members_only(&self, room: &BareJid) -> Option<bool> {
        self.0.get(room)?.told?.members_only
    }

    /// Whether the room has been configured since it has told what it is.
    pub(crate) fn is_outdated(&self, room: &BareJid) -> bool {
        self.0.get(room).is_some_and(|known| known.is_outdated)
    }

    /// Whether the room has not told yet, and has some time left to.
    pub(crate) fn may_tell(&self, now: Now, room: &BareJid) -> bool {
        self.0.get(room).is_none_or(|known| known.told.is_none()) && self.may_answer(now, room)
    }

    /// Whether the room has not been asked yet, or has some time left to answer.
    pub(crate) fn may_answer(&self, now: Now, room: &BareJid) -> bool {
        let asked = self.0.get(room).and_then(|known| known.asked.as_ref());
        asked.is_none_or(|(asked_ms, _)| now.since(*asked_ms) < limit::ROOM_KIND_ANSWER_MS)
    }

    /// Whether the room may be asked: it was not lately, and has not told.
    pub(crate) fn want(&self, now: Now, room: &BareJid) -> bool {
        let Some(known) = self.0.get(room) else { return true };
        let has_told = known.told.is_some_and(|told| told.members_only.is_some());
        let pause_ms = match (known.is_outdated, has_told) {
            (true, _) => limit::ROOM_KIND_ANSWER_MS,
            (false, false) => limit::ROOM_KIND_MS,
            (false, true) => return false,
        };
        known.asked.as_ref().is_none_or(|(asked_ms, _)| now.since(*asked_ms) >= pause_ms)
    }

    /// The room is asked, by a query of that id.
    pub(crate) fn note_asked(&mut self, now: Now, room: &BareJid, id: Box<str>) {
        self.0.make(room, limit::ROOM_KINDS).0.asked = Some((now.monotonic_ms, id));
    }

    /// Takes in what the room answers, if it has been asked by a query of that id; false if it has not.
    pub(crate) fn note_answer(&mut self, room: &BareJid, answer: &Stanza) -> bool {
        let asked = self.0.get(room).and_then(|known| known.asked.as_ref());
        let is_answer = asked.is_some_and(|(_, id)| answer.id.as_ref() == Some(id));
        if is_answer {
            self.note(room, Told::read(answer));
        }
        is_answer
    }

    /// The room has told that, whoever has asked.
    pub(crate) fn note(&mut self, room: &BareJid, told: Told) {
        let known = self.0.make(room, limit::ROOM_KINDS).0;
        (known.told, known.is_outdated) = (Some(told), false);
    }

    /// The room is configured anew. All its occupants are told.
    pub(crate) fn note_configured(&mut self, room: &BareJid) {
        self.0.make(room, limit::ROOM_KINDS).0.is_outdated = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> BareJid {
        BareJid::new("lounge@rooms.example")
    }

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, utc_ms: 0 }
    }

    fn asked() -> Kinds {
        let mut kinds = Kinds::default();
        assert!(kinds.want(at(0), &room()) && kinds.may_tell(at(0), &room()));
        kinds.note_asked(at(0), &room(), "q".into());
        kinds
    }

    fn answered(answer: &str) -> Kinds {
        let mut kinds = asked();
        assert!(kinds.note_answer(&room(), &Stanza::from_xml(answer).unwrap()));
        kinds
    }

    fn of_members() -> Kinds {
        let feature = "<feature var='muc_membersonly'/>";
        answered(&format!(
            "<iq type='result' id='q'><query xmlns='http://jabber.org/protocol/disco#info'>{feature}</query></iq>"
        ))
    }

    fn wanted(kinds: &Kinds) -> Vec<u64> {
        let times = [limit::ROOM_KIND_ANSWER_MS - 1, limit::ROOM_KIND_ANSWER_MS];
        let later = [limit::ROOM_KIND_MS - 1, limit::ROOM_KIND_MS];
        times.into_iter().chain(later).filter(|ms| kinds.want(at(*ms), &room())).collect()
    }

    #[test]
    fn u5_a_room_that_has_told_is_not_asked_again() {
        let kinds = of_members();
        assert_eq!((kinds.members_only(&room()), kinds.has_archive(&room())), (Some(true), Some(false)));
        assert!(wanted(&kinds).is_empty());
        assert!(!kinds.may_tell(at(0), &room()));
    }

    #[test]
    fn u5_a_room_that_does_not_tell_is_asked_again_after_a_day() {
        let silent = asked();
        assert!(silent.may_tell(at(limit::ROOM_KIND_ANSWER_MS - 1), &room()));
        assert!(!silent.may_tell(at(limit::ROOM_KIND_ANSWER_MS), &room()));
        let error =
            answered("<iq type='error' id='q'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        assert_eq!((error.members_only(&room()), error.has_archive(&room())), (None, Some(false)));
        assert!(!error.may_tell(at(0), &room()));
        for kinds in [silent, error] {
            assert_eq!(wanted(&kinds), [limit::ROOM_KIND_MS]);
        }
    }

    #[test]
    fn u5_a_room_that_is_configured_anew_is_asked_again_soon() {
        let mut kinds = of_members();
        kinds.note_configured(&room());
        assert_eq!((kinds.members_only(&room()), kinds.has_archive(&room())), (Some(true), None));
        assert_eq!(wanted(&kinds).first(), Some(&limit::ROOM_KIND_ANSWER_MS));
        let mut unknown = Kinds::default();
        unknown.note_configured(&room());
        assert!(unknown.is_outdated(&room()) && unknown.want(at(0), &room()));
    }

    #[test]
    fn u5_only_the_answer_to_the_question_is_taken() {
        let mut kinds = asked();
        assert!(!kinds.note_answer(&room(), &Stanza::from_xml("<iq type='result' id='other'/>").unwrap()));
        assert!(!kinds.note_answer(&room(), &Stanza::from_xml("<iq type='result'/>").unwrap()));
        assert_eq!(kinds.has_archive(&room()), None);
    }
}
