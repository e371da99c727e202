//! Who has said what is kept: an occupant may go on under another nick, or go, and somebody else take the nick (H9).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::xmpp::jid::{Jid, Nick};
use crate::xmpp::stanza::Stanza;

/// So many more authors are remembered than messages are kept.
const SPARE: usize = 16;

/// An author, by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Author(u32);

/// The authors that are still there, by the nicks that they have.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Authors {
    present: BTreeMap<Nick, Author>,
    last: u32,
}

impl Authors {
    /// Whoever has the nick by now that a message is from.
    pub(super) fn of(&mut self, message: &Stanza) -> Author {
        if let Some(known) = self.known(message) {
            return known;
        }
        self.last = self.last.wrapping_add(1);
        let author = Author(self.last);
        self.present.extend(message.sender_nick().map(|nick| (nick, author)));
        author
    }

    /// The same, if that one has said something that is kept.
    pub(super) fn known(&self, message: &Stanza) -> Option<Author> {
        let nick = message.from.as_ref().and_then(Jid::resource)?;
        self.present.get(nick).copied()
    }

    /// An occupant has left. The next occupant of that nick is somebody else.
    pub(super) fn note_gone(&mut self, nick: &Nick) {
        self.present.remove(nick);
    }

    /// An occupant goes on under another nick.
    pub(super) fn note_renamed(&mut self, old: &Nick, new: &Nick) {
        if let Some(author) = self.present.remove(old) {
            self.present.insert(new.clone(), author);
        }
    }

    /// Whether there are many more than messages, of which there are so many.
    pub(super) fn are_many(&self, messages: usize) -> bool {
        self.present.len() > 2 * messages + SPARE
    }

    /// Forgets all but those.
    pub(super) fn retain(&mut self, kept: &BTreeSet<Author>) {
        self.present.retain(|_, author| kept.contains(author));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_by(nick: &str) -> Stanza {
        Stanza::from_xml(&format!("<message from='lounge@rooms.example/{nick}'/>")).unwrap()
    }

    #[test]
    fn h9_an_author_keeps_its_number_until_it_leaves() {
        let (bob, bobby) = (Nick::new("bob"), Nick::new("bobby"));
        let mut authors = Authors::default();
        let author = authors.of(&said_by("bob"));
        assert_eq!(authors.of(&said_by("bob")), author);
        authors.note_renamed(&bob, &bobby);
        assert_eq!(authors.known(&said_by("bobby")), Some(author));
        assert_ne!(authors.of(&said_by("bob")), author);
        authors.note_gone(&bobby);
        assert_ne!(authors.of(&said_by("bobby")), author);
    }

    #[test]
    fn r7_who_has_said_nothing_that_is_kept_is_forgotten() {
        let mut authors = Authors::default();
        let all: Vec<_> = (0..=SPARE).map(|n| authors.of(&said_by(&n.to_string()))).collect();
        assert!(authors.are_many(0) && !authors.are_many(1));
        authors.retain(&BTreeSet::from([all[3]]));
        assert_eq!((authors.present.len(), authors.known(&said_by("3"))), (1, Some(all[3])));
    }
}
