//! The other end of what is open: an occupant, who may change its nick meanwhile, or the room itself.

use serde::{Deserialize, Serialize};

use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{Jid, Nick};

/// An occupant, under the nick by which it was addressed or addressed us, and under the one that it has now
/// (N6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Nobody is the room itself.
    nick: Option<Nick>,
    renamed: Option<Nick>,
}

impl Cost for Peer {
    fn outside(&self) -> usize {
        self.nick.outside() + self.renamed.outside()
    }
}

impl Peer {
    /// The occupant of that nick; without one, the room itself.
    pub(crate) fn new(nick: Option<Nick>) -> Self {
        Self { nick, renamed: None }
    }

    /// Whether it is the room itself.
    pub(crate) fn is_room(&self) -> bool {
        self.nick.is_none()
    }

    /// The nick that it had.
    pub(crate) fn nick(&self) -> Option<&Nick> {
        self.nick.as_ref()
    }

    /// The nick that it has.
    pub(crate) fn current(&self) -> Option<&Nick> {
        self.renamed.as_ref().or(self.nick.as_ref())
    }

    /// Whether that address of the room may speak for it: the room answers in the name of the old nick what was
    /// sent to it too late.
    pub(crate) fn is(&self, address: Option<&Jid>) -> bool {
        address.is_some_and(|address| {
            let nick = address.nick();
            nick == self.nick || nick.as_ref() == self.current()
        })
    }

    /// Somebody takes another nick.
    pub(crate) fn follow(&mut self, old: &Nick, new: &Nick) {
        if self.current() == Some(old) {
            self.renamed = Some(new.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f39_a_peer_is_followed_from_nick_to_nick() {
        let nick = |nick: &str| Nick::new(nick);
        let address = |resource: &str| Jid::new(&format!("lounge@rooms.example{resource}"));
        let mut bob = Peer::new(Some(nick("bob")));
        bob.follow(&nick("eve"), &nick("mallory"));
        bob.follow(&nick("bob"), &nick("bobby"));
        bob.follow(&nick("bob"), &nick("somebody else"));
        bob.follow(&nick("bobby"), &nick("robert"));
        assert_eq!((bob.nick(), bob.current()), (Some(&nick("bob")), Some(&nick("robert"))));
        assert!(bob.is(Some(&address("/bob"))) && bob.is(Some(&address("/robert"))));
        assert!(!bob.is(Some(&address("/bobby"))) && !bob.is(Some(&address(""))) && !bob.is(None));
    }

    #[test]
    fn the_room_itself_is_no_occupant() {
        let room = Peer::new(None);
        assert!(room.is_room() && room.is(Some(&Jid::new("lounge@rooms.example"))));
        assert!(!room.is(Some(&Jid::new("lounge@rooms.example/bob"))) && !room.is(None));
    }
}
