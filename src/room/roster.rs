//! The occupants of a room as it shows them to the account, without the account itself.

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{BareJid, Jid, Nick};
use crate::xmpp::muc::NS_MUC_USER;
use crate::xmpp::stanza::{Element, Kept, Kind, PresenceType, Stanza, book};

/// The last presence of each occupant, in the order of their nicks. An entry is one pointer: the presence,
/// which all accounts in the room share, knows the nick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Roster {
    #[serde(with = "book")]
    occupants: Vec<Kept>,
    /// About how many bytes they cost.
    cost: usize,
    /// Whether they may cost no more than that.
    #[serde(skip)]
    pub(super) is_full: bool,
}

/// What a presence did to the roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It says what was known.
    Same,
    /// It says something else, or somebody came.
    Changed,
}

impl Roster {
    /// Keeps the presence of an occupant, if there is space. A stanza without a nick is ignored.
    pub(crate) fn put(&mut self, presence: Kept) -> Change {
        let Some(nick) = nick(&presence) else { return Change::Same };
        match self.position(nick) {
            Ok(position) => self.replace(position, presence),
            Err(position) => {
                let cost = presence.cost();
                let has_space = self.occupants.len() < limit::OCCUPANTS && !self.is_full;
                if has_space && cost <= limit::PRESENCE_COST {
                    self.occupants.insert(position, presence);
                    self.cost += cost;
                }
                Change::Changed
            }
        }
    }

    fn replace(&mut self, position: usize, presence: Kept) -> Change {
        let Some(known) = self.occupants.get_mut(position).filter(|known| **known != presence) else {
            return Change::Same;
        };
        let (before, after) = (known.cost(), presence.cost());
        if after <= limit::PRESENCE_COST && (after <= before || !self.is_full) {
            *known = presence;
            self.cost = self.cost.saturating_sub(before) + after;
        } else {
            self.take(position);
        }
        Change::Changed
    }

    /// About how many bytes they cost.
    pub(super) fn cost(&self) -> usize {
        self.cost + self.occupants.capacity() * size_of::<Kept>()
    }

    /// Takes out an occupant.
    pub(crate) fn remove(&mut self, nick: &Nick) -> Option<Kept> {
        self.position(nick.as_str()).ok().map(|position| self.take(position))
    }

    fn take(&mut self, position: usize) -> Kept {
        let taken = self.occupants.remove(position);
        self.cost = self.cost.saturating_sub(taken.cost());
        taken
    }

    /// The presence of the occupant of that nick.
    pub(crate) fn get(&self, nick: &Nick) -> Option<&Kept> {
        self.position(nick.as_str()).ok().and_then(|position| self.occupants.get(position))
    }

    /// Whether an occupant has that nick.
    pub(crate) fn has(&self, nick: &Nick) -> bool {
        self.position(nick.as_str()).is_ok()
    }

    /// Whether an occupant is known by exactly that presence.
    pub(crate) fn shows(&self, presence: &Stanza) -> bool {
        let is_same = |known: &Kept| Stanza { to: None, ..presence.clone() } == **known;
        let position = presence.from.as_ref().and_then(Jid::resource).map(|nick| self.position(nick));
        position.and_then(Result::ok).and_then(|position| self.occupants.get(position)).is_some_and(is_same)
    }

    /// The occupants, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.occupants.iter()
    }

    /// Whether nobody else is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.occupants.is_empty()
    }

    fn position(&self, wanted: &str) -> Result<usize, usize> {
        self.occupants.binary_search_by(|presence| nick(presence).unwrap_or_default().cmp(wanted))
    }
}

fn nick(presence: &Kept) -> Option<&str> {
    presence.from.as_ref().and_then(Jid::resource)
}

/// The `unavailable` of an occupant that has left unseen.
pub(crate) fn gone(room: &BareJid, nick: &Nick) -> Stanza {
    let item =
        Element::build("item", NS_MUC_USER).attribute("affiliation", "none").attribute("role", "none").done();
    Stanza::new(Kind::Presence(PresenceType::Unavailable))
        .from(room.occupant(nick))
        .child(Element::build("x", NS_MUC_USER).child(item).done())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(nick: &str, show: &str) -> Kept {
        let xml = format!("<presence from='lounge@rooms.example/{nick}'><show>{show}</show></presence>");
        Kept::shared(Stanza::from_xml(&xml).unwrap())
    }

    #[test]
    fn occupants_come_change_and_go_in_the_order_of_nicks() {
        let mut roster = Roster::default();
        assert_eq!(roster.put(presence("carol", "away")), Change::Changed);
        assert_eq!(roster.put(presence("bob", "away")), Change::Changed);
        assert_eq!(roster.put(presence("bob", "away")), Change::Same);
        assert_eq!(roster.put(presence("bob", "dnd")), Change::Changed);
        assert_eq!(roster.iter().map(nick).collect::<Vec<_>>(), [Some("bob"), Some("carol")]);
        assert_eq!(roster.get(&Nick::new("bob")), Some(&presence("bob", "dnd")));
        assert!(roster.get(&Nick::new("eve")).is_none());
        assert!(roster.remove(&Nick::new("bob")).is_some());
        assert!(!roster.has(&Nick::new("bob")) && roster.has(&Nick::new("carol")));
    }

    #[test]
    fn r7_what_there_is_no_space_for_is_not_kept() {
        let mut roster = Roster::default();
        roster.put(presence("bob", &"x".repeat(limit::PRESENCE_COST)));
        assert!(!roster.has(&Nick::new("bob")), "one that is too large");
        roster.put(presence("bob", "away"));
        roster.is_full = true;
        roster.put(presence("carol", "away"));
        assert!(roster.has(&Nick::new("bob")) && !roster.has(&Nick::new("carol")));
        roster.put(presence("bob", "dnd"));
        assert_eq!(roster.get(&Nick::new("bob")), Some(&presence("bob", "dnd")), "it costs no more");
        roster.put(presence("bob", "away, and says why"));
        assert!(!roster.has(&Nick::new("bob")), "what it was is no longer true");
        assert_eq!(roster.cost, 0);
    }

    #[test]
    fn the_room_itself_is_no_occupant() {
        let mut roster = Roster::default();
        let bare = Kept::own(Stanza::from_xml("<presence from='lounge@rooms.example'/>").unwrap());
        assert_eq!(roster.put(bare), Change::Same);
        assert!(roster.is_empty());
    }
}
