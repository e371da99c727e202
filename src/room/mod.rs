//! The account's own copy of a room: all that a session has to be shown when it joins.

mod authors;
mod fetch;
mod gap;
pub(crate) mod history;
pub(crate) mod kinds;
mod latest;
pub(crate) mod log;
mod logged;
pub(crate) mod older;
pub(crate) mod own;
pub(crate) mod recent;
pub(crate) mod request;
mod retraction;
pub(crate) mod roster;
mod rulings;
pub(crate) mod seen;
pub(crate) mod self_presence;
pub(crate) mod shown;
mod trim;

use serde::{Deserialize, Serialize};

use self::history::History;
use self::roster::{Change, Roster};
use crate::config::limit;
use crate::lazy::can_be_empty;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::muc::{MucUser, status};
use crate::xmpp::stanza::{Kept, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

/// The room as the account knows it; empty while it is unknown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Room {
    /// Whether the account joins and has not been shown itself: the occupants of a join end with that.
    #[serde(default)]
    pub(crate) is_entering: bool,
    /// Whether a join would show the kept presences (J8).
    #[serde(default)]
    pub(crate) is_current: bool,
    /// Everybody else.
    pub(crate) roster: Roster,
    /// An occupant that the room has not shown yet under its new nick.
    pub(crate) renamed: Option<Nick>,
    /// Presences from the room itself (J21).
    pub(crate) aside: Vec<Aside>,
    /// The messages that may be shown again.
    pub(crate) history: History,
    /// The last subject message, and when it came.
    pub(crate) subject: Option<Subject>,
    /// Whether the room tells affiliation versions (XEP-0463).
    pub(crate) versioned: bool,
    /// What the status codes 100, 170 to 173 say of the room.
    pub(crate) flags: Flags,
    /// About how many bytes its own presences and the subject cost.
    aside_cost: usize,
}

/// A presence that the room sent from its bare JID.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Aside {
    pub(crate) presence: Kept,
    pub(crate) after_self: bool,
}

impl Aside {
    /// Whether it shows a member who is not there.
    pub(crate) fn is_absence(&self) -> bool {
        self.presence.kind == Kind::Presence(PresenceType::Unavailable)
    }
}

/// The subject, and its stamp if it has to be given one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) message: Kept,
    pub(crate) stamp_ms: Option<i64>,
}

/// What a room tells everybody who joins (XEP-0045 §7.2.3, §7.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flags {
    pub(crate) non_anonymous: bool,
    pub(crate) logged: bool,
}

impl Flags {
    /// Takes in the codes of a stanza; says whether the anonymity of the room changed.
    pub(crate) fn fold(&mut self, codes: &[u16]) -> bool {
        let before = self.non_anonymous;
        for code in codes {
            match *code {
                status::NON_ANONYMOUS | status::NOW_NON_ANONYMOUS => self.non_anonymous = true,
                status::NOW_SEMI_ANONYMOUS => self.non_anonymous = false,
                status::LOGGED => self.logged = true,
                status::NOT_LOGGED => self.logged = false,
                _ => {}
            }
        }
        before != self.non_anonymous
    }
}

can_be_empty!(Room);

impl Room {
    /// The room as it is before it shows anything of itself to an account that joins.
    pub(crate) fn to_enter() -> Self {
        Self { is_entering: true, is_current: true, ..Self::default() }
    }

    /// Takes in the presence of somebody else, or of the room.
    pub(crate) fn fold_presence(&mut self, presence: &Kept) -> Change {
        let Some(nick) = presence.sender_nick() else {
            self.fold_aside(presence);
            return Change::Changed;
        };
        if nick.as_str().len() > limit::NICK_BYTES {
            return Change::Same;
        }
        if !self.aside.is_empty() {
            self.aside.retain(|aside| aside.presence.from != presence.from); // the member is there now
            self.note_aside();
        }
        let is_renamed = self.renamed.take_if(|renamed| *renamed == nick).is_some();
        match self.roster.put(presence.share()) {
            Change::Same if !is_renamed => Change::Same,
            Change::Same | Change::Changed => Change::Changed,
        }
    }

    /// Takes in that somebody left, or goes on under another nick (N6).
    pub(crate) fn fold_unavailable(&mut self, presence: &Kept, occupant: &MucUser) {
        let Some(nick) = presence.sender_nick() else {
            self.fold_aside(presence);
            return;
        };
        let new = occupant.nick.as_deref().filter(|_| occupant.has(status::NICK_CHANGE)).map(Nick::new);
        match &new {
            Some(new) => self.history.note_renamed(&nick, new),
            None => self.history.note_gone(&nick),
        }
        let Some(mut known) = self.roster.remove(&nick).map(|kept| Stanza::clone(&kept)) else {
            return self.fold_absent(presence, occupant);
        };
        let Some(new) = new else { return };
        known.from = known.from.map(|from| from.to_bare().occupant(&new));
        self.roster.put(Kept::shared(known));
        self.renamed = Some(new);
    }

    /// During a join Prosody shows absent members as `unavailable`, under their reserved nicks (J21).
    fn fold_absent(&mut self, presence: &Kept, occupant: &MucUser) {
        if self.is_entering && occupant.nick.is_some() && !occupant.has(status::NICK_CHANGE) {
            self.fold_aside(presence);
        }
    }

    /// Keeps one entry for each absent member, and one for the room itself (J21).
    fn fold_aside(&mut self, presence: &Kept) {
        let occupant = MucUser::read(presence);
        let after_self = !self.is_entering;
        let same = |aside: &Aside| {
            aside.presence.from == presence.from && MucUser::read(&aside.presence).jid == occupant.jid
        };
        let means_somebody = occupant.affiliation.as_deref().is_some_and(|affiliation| affiliation != "none");
        let is_over = presence.kind == Kind::Presence(PresenceType::Unavailable) && !means_somebody;
        if is_over || self.roster.is_full || presence.cost() > limit::ROOM_PRESENCE_COST {
            self.aside.retain(|aside| !same(aside));
            return self.note_aside();
        }
        let presence = presence.share();
        if let Some(known) = self.aside.iter_mut().find(|aside| same(aside)) {
            known.presence = presence;
        } else if self.aside.len() < limit::ROOM_PRESENCES {
            self.aside.push(Aside { presence, after_self });
        }
        self.note_aside();
    }

    fn note_aside(&mut self) {
        let subject = self.subject.as_ref().map_or(0, |subject| subject.message.cost());
        self.aside_cost = subject + self.aside.iter().map(|aside| aside.presence.cost()).sum::<usize>();
    }

    /// About how many bytes cost its occupants, its history and the rest.
    pub(crate) fn cost(&self) -> usize {
        self.roster.cost() + self.history.cost() + self.aside_cost
    }

    /// When the oldest message came that is kept.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.history.oldest_ms()
    }

    /// So much has to be let go: the oldest messages. Gives whether they are enough; else nothing more is kept.
    pub(crate) fn spare(&mut self, wanted: usize) -> bool {
        let is_enough = self.history.spare(wanted) >= wanted;
        (self.roster.is_full, self.history.is_full) = (!is_enough, !is_enough);
        is_enough
    }

    /// Takes in a subject message, and when it was set, if anything tells (H6).
    pub(crate) fn fold_subject(&mut self, message: &Kept, stamp_ms: Option<i64>) {
        let has_space = !self.roster.is_full && message.cost() <= limit::SUBJECT_COST;
        self.subject = has_space.then(|| Subject { message: message.share(), stamp_ms });
        self.note_aside();
    }

    /// The subject message that ends a join (H6): always one, with a delay where its time is known, and an empty
    /// one in the place of one that is hidden.
    pub(crate) fn subject_message(&self, room: &BareJid, is_hidden: impl Fn(&Stanza) -> bool) -> Kept {
        match self.subject.as_ref().filter(|subject| !is_hidden(&subject.message)) {
            Some(Subject { message, stamp_ms }) => history::delayed(message, *stamp_ms, room),
            None => Kept::own(
                Stanza::new(Kind::Message(MessageType::Groupchat))
                    .from(room.to_jid())
                    .child(crate::xmpp::stanza::Element::build("subject", NS_CLIENT).done()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(xml: &str) -> Kept {
        Kept::own(Stanza::from_xml(xml).unwrap())
    }

    fn nicks(room: &Room) -> Vec<String> {
        room.roster.iter().map(|kept| kept.sender_nick().unwrap().to_string()).collect()
    }

    #[test]
    fn n6_a_nick_change_moves_the_occupant() {
        let mut room = Room::default();
        room.fold_presence(&presence("<presence from='r@s/bob'/>"));
        let change = presence(
            "<presence from='r@s/bob' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item nick='bobby'/><status code='303'/></x></presence>",
        );
        room.fold_unavailable(&change, &MucUser::read(&change));
        assert_eq!(nicks(&room), ["bobby"]);
    }

    #[test]
    fn j21_the_room_and_absent_members_are_kept_apart() {
        let mut room = Room::default();
        let member = |jid: &str| {
            presence(&format!(
                "<presence from='r@s' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>\
                 <item affiliation='member' jid='{jid}'/></x></presence>"
            ))
        };
        for presence in [member("a@b"), member("c@d"), member("a@b"), presence("<presence from='r@s'/>")] {
            room.fold_presence(&presence);
        }
        assert_eq!(room.aside.len(), 3);
        assert!(room.roster.is_empty());
    }

    #[test]
    fn h6_there_is_always_a_subject() {
        let room = Room::default();
        let subject = room.subject_message(&BareJid::new("r@s"), |_| false);
        assert_eq!(subject.to_xml(), "<message from='r@s' type='groupchat'><subject/></message>");
    }
}
