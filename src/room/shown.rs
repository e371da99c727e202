//! The account's presence as the room last showed it; since a start, as the room may have shown it before.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

use super::self_presence::occupant_id;
use crate::config::limit;
use crate::sessions::nobody_there;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::muc::{MucUser, NS_MUC_USER, status, status_element};
use crate::xmpp::stanza::{Element, Kept, Kind, PresenceType, Stanza, Word};

/// How much each of the two may cost that the room itself says in a presence of the account.
const PART_COST: usize = 1_024;
const NS_OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";

/// The account's presence as the room last showed it. Of one that is only remembered the stanza is made when somebody
/// asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct Shown {
    remembered: Option<Box<Remembered>>,
    stanza: OnceCell<Kept>,
}

/// What a record knows of the account's presence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) room: BareJid,
    pub(crate) nick: Nick,
    /// As what, as far as it is known: `none` otherwise.
    pub(crate) affiliation: Word,
    pub(crate) occupant_id: Option<Box<str>>,
    /// Whether it told that no session is there.
    pub(crate) is_away: bool,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Shown(Kept),
    Remembered(Box<Remembered>),
}

impl Shown {
    /// The room shows it.
    pub(super) fn by_room(stanza: Kept) -> Self {
        Self { remembered: None, stanza: OnceCell::from(stanza.into_shared()) }
    }

    /// It is only remembered.
    pub(super) fn before(remembered: Remembered) -> Self {
        Self { remembered: Some(Box::new(remembered)), stanza: OnceCell::new() }
    }

    /// The stanza.
    pub(super) fn stanza(&self) -> &Kept {
        self.stanza.get_or_init(|| {
            let presence = || Stanza::new(Kind::Presence(PresenceType::Available));
            Kept::own(self.remembered.as_deref().map_or_else(presence, Remembered::presence))
        })
    }

    /// About how many bytes it costs, if the room has shown it.
    pub(super) fn cost(&self) -> usize {
        self.stanza.get().and_then(Kept::charged).unwrap_or_default()
    }

    /// What the account is in the room; nothing if that is not known.
    pub(super) fn affiliation(&self) -> Option<&str> {
        match &self.remembered {
            Some(remembered) => Some(&remembered.affiliation),
            None => MucUser::affiliation(self.stanza()),
        }
    }

    /// The account's occupant-id (XEP-0421).
    pub(super) fn occupant_id(&self) -> Option<&str> {
        match &self.remembered {
            Some(remembered) => remembered.occupant_id.as_deref(),
            None => occupant_id(self.stanza())?.attribute("id"),
        }
    }
}

/// A presence of the account as it is kept: all of it, or if that is too dear, or there is no space, the least.
pub(crate) fn within_means(presence: &Kept, has_space: bool) -> Kept {
    if has_space && presence.cost() <= limit::OWN_SHOWN_COST { presence.clone() } else { least(presence) }
}

/// What the room itself says in a presence of the account: as what it is in, and with which occupant-id.
pub(crate) fn least(presence: &Kept) -> Kept {
    let mut spare = Stanza { children: Vec::new(), attributes: Vec::new(), ..Stanza::clone(presence) };
    let said = [presence.find("x", NS_MUC_USER), occupant_id(presence)];
    spare.children.extend(said.into_iter().flatten().filter(|child| child.cost() <= PART_COST).cloned());
    Kept::own(spare)
}

impl Remembered {
    /// The presence as the room may have shown it.
    fn presence(&self) -> Stanza {
        let affiliation = self.affiliation.as_str();
        let role = if matches!(affiliation, "owner" | "admin") { "moderator" } else { "participant" };
        let item = Element::build("item", NS_MUC_USER)
            .attribute("affiliation", affiliation)
            .attribute("role", role)
            .done();
        let x = Element::build("x", NS_MUC_USER).child(item).child(status_element(status::SELF)).done();
        let id = self.occupant_id.as_deref();
        let id = id.map(|id| Element::build("occupant-id", NS_OCCUPANT_ID).attribute("id", id).done());
        let mut shown =
            Stanza::new(Kind::Presence(PresenceType::Available)).from(self.room.occupant(&self.nick));
        shown.children = self.payload().into_iter().chain(id).chain([x]).collect();
        shown
    }

    fn payload(&self) -> Vec<Element> {
        if self.is_away { nobody_there() } else { Vec::new() }
    }

    /// The presence as the account sent it.
    pub(super) fn sent(&self) -> Kept {
        let sent = Stanza::new(Kind::Presence(PresenceType::Available)).children(self.payload());
        Kept::own(sent).share()
    }
}

impl From<Written> for Shown {
    fn from(written: Written) -> Self {
        match written {
            Written::Shown(stanza) => Self::by_room(stanza),
            Written::Remembered(remembered) => Self::before(*remembered),
        }
    }
}

impl From<Shown> for Written {
    fn from(shown: Shown) -> Self {
        match shown.remembered {
            Some(remembered) => Self::Remembered(remembered),
            None => Self::Shown(shown.stanza().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Shown {
        Shown::before(Remembered {
            room: BareJid::new("lounge@rooms.example"),
            nick: Nick::new("alice"),
            affiliation: "admin".into(),
            occupant_id: Some("o".into()),
            is_away: true,
        })
    }

    #[test]
    fn what_is_remembered_tells_what_its_stanza_would() {
        let shown = remembered();
        let of_stanza = Shown::by_room(shown.stanza().clone());
        assert_eq!(shown.affiliation(), Some("admin"));
        assert_eq!(of_stanza.affiliation(), shown.affiliation());
        assert_eq!(shown.occupant_id(), Some("o"));
        assert_eq!(of_stanza.occupant_id(), shown.occupant_id());
    }

    #[test]
    fn no_stanza_is_made_before_somebody_asks() {
        let shown = remembered();
        let text = serde_json::to_string(&shown).unwrap();
        assert!(shown.stanza.get().is_none());
        let read: Shown = serde_json::from_str(&text).unwrap();
        assert!(read.stanza.get().is_none() && shown.affiliation() == read.affiliation());
        assert_eq!(read.stanza(), shown.stanza());
    }

    #[test]
    fn what_the_room_has_shown_is_written_as_a_stanza() {
        let shown = Shown::by_room(remembered().stanza().clone());
        let text = serde_json::to_string(&shown).unwrap();
        assert!(text.starts_with("\"<presence"), "{text}");
        assert_eq!(serde_json::from_str::<Shown>(&text).unwrap().stanza(), shown.stanza());
    }
}
