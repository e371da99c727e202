//! The words of XEP-0045: what the room says about an occupant in `<x xmlns='…muc#user'/>`.

use serde::{Deserialize, Serialize};

use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Element, Kind, NS_CLIENT, PresenceType, Stanza};

/// What a client puts into the presence with which it joins (XEP-0045 §7.2.1).
pub const NS_MUC: &str = "http://jabber.org/protocol/muc";
/// What a room says about occupants, and invitations (XEP-0045 §7.2.2, §7.8.2).
pub const NS_MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// Status codes (XEP-0045 §16.6.2).
pub mod status {
    /// Everybody in the room sees real JIDs.
    pub const NON_ANONYMOUS: u16 = 100;
    /// The affiliation of somebody who is not in the room changed.
    pub const AFFILIATION_CHANGED: u16 = 101;
    /// The configuration of the room changed.
    pub const CONFIGURED: u16 = 104;
    /// The presence is about the account itself.
    pub const SELF: u16 = 110;
    /// The room is logged.
    pub const LOGGED: u16 = 170;
    /// The room is no longer logged.
    pub const NOT_LOGGED: u16 = 171;
    /// The room is now non-anonymous.
    pub const NOW_NON_ANONYMOUS: u16 = 172;
    /// The room is now semi-anonymous.
    pub const NOW_SEMI_ANONYMOUS: u16 = 173;
    /// The join created the room.
    pub const CREATED: u16 = 201;
    /// The room changed the nick that was asked for.
    pub const NICK_ASSIGNED: u16 = 210;
    /// Banned.
    pub const BANNED: u16 = 301;
    /// The nick changes; no leave.
    pub const NICK_CHANGE: u16 = 303;
    /// Kicked, unless 333 stands beside it.
    pub const KICKED: u16 = 307;
    /// Removed because an affiliation was lost.
    pub const AFFILIATION_LOST: u16 = 321;
    /// Removed because the room became members-only.
    pub const MEMBERS_ONLY: u16 = 322;
    /// Removed because the service shuts down.
    pub const SHUTDOWN: u16 = 332;
    /// Removed for a technical reason.
    pub const TECHNICAL: u16 = 333;
}

/// Why an occupancy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Departure {
    /// The account left.
    Left,
    /// 307 without 333.
    Kicked,
    /// 301
    Banned,
    /// 321
    AffiliationLost,
    /// 322
    MembersOnly,
    /// `<destroy/>`
    Destroyed,
    /// 332, the service goes down.
    Shutdown,
    /// 333, or found to be out by a self-ping.
    Technical,
    /// The room gave no reason that we know.
    Unexplained,
}

impl Departure {
    /// Reads why a room removed the account (XEP-0045 §7.14, §8.2, §9.1, §9.4, §10.2, §10.9, §11.2).
    pub fn read(occupant: &MucUser) -> Self {
        let reasons = [
            (status::TECHNICAL, Self::Technical), // a 307 beside it is to be ignored
            (status::BANNED, Self::Banned),
            (status::KICKED, Self::Kicked),
            (status::AFFILIATION_LOST, Self::AffiliationLost),
            (status::MEMBERS_ONLY, Self::MembersOnly),
            (status::SHUTDOWN, Self::Shutdown),
        ];
        if occupant.destroyed {
            return Self::Destroyed;
        }
        reasons.iter().find(|(code, _)| occupant.has(*code)).map_or(Self::Unexplained, |(_, reason)| *reason)
    }

    /// Whether the room may have the account back without anybody having decided anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Shutdown | Self::Technical)
    }
}

/// The parts of `<x xmlns='…muc#user'/>` that decide something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MucUser {
    /// The status codes, in order.
    pub codes: Vec<u16>,
    /// `item@affiliation`
    pub affiliation: Option<Box<str>>,
    /// `item@role`
    pub role: Option<Box<str>>,
    /// `item@jid`
    pub jid: Option<Box<str>>,
    /// `item@nick`
    pub nick: Option<Box<str>>,
    /// Whether there is a `<destroy/>`.
    pub destroyed: bool,
    /// Whether there is an `<invite/>` or a `<decline/>`.
    pub invites: bool,
}

impl MucUser {
    /// Reads what a room says in a stanza; nothing said reads as nothing set.
    pub fn read(stanza: &Stanza) -> Self {
        stanza.find("x", NS_MUC_USER).map(Self::read_element).unwrap_or_default()
    }

    /// The affiliation of whom a stanza is about: as [`MucUser::read`] finds it, without reading the rest.
    pub(crate) fn affiliation(stanza: &Stanza) -> Option<&str> {
        stanza.find("x", NS_MUC_USER)?.find("item")?.attribute("affiliation")
    }

    fn read_element(x: &Element) -> Self {
        let item = x.find("item");
        let attribute = |name| item.and_then(|item| item.attribute(name)).map(Into::into);
        Self {
            codes: x.elements().filter(|child| &*child.name == "status").filter_map(code).collect(),
            affiliation: attribute("affiliation"),
            role: attribute("role"),
            jid: attribute("jid"),
            nick: attribute("nick"),
            destroyed: x.find("destroy").is_some(),
            invites: x.find("invite").is_some() || x.find("decline").is_some(),
        }
    }

    /// Who invites in a mediated invitation.
    pub fn inviter(stanza: &Stanza) -> Option<Jid> {
        let invite = stanza.find("x", NS_MUC_USER)?.find("invite")?;
        invite.attribute("from").map(Jid::new)
    }

    /// Whether the status code was given.
    pub fn has(&self, code: u16) -> bool {
        self.codes.contains(&code)
    }
}

fn code(status: &Element) -> Option<u16> {
    status.attribute("code")?.parse().ok()
}

/// A `<status/>` with that code.
pub fn status_element(code: u16) -> Element {
    Element::build("status", NS_MUC_USER).attribute("code", &code.to_string()).done()
}

/// Whether the presence asks to join (XEP-0045 §7.2.1).
pub fn asks_to_join(stanza: &Stanza) -> bool {
    stanza.kind == Kind::Presence(PresenceType::Available) && stanza.has("x", NS_MUC)
}

/// Whether a message sets the subject: a `<subject/>` without `<body/>` and `<thread/>` (XEP-0045 §8.1).
pub fn sets_subject(stanza: &Stanza) -> bool {
    stanza.has("subject", NS_CLIENT) && !stanza.has("body", NS_CLIENT) && !stanza.has("thread", NS_CLIENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn departure(inside: &str) -> Departure {
        let xml = format!("<presence type='unavailable'><x xmlns='{NS_MUC_USER}'>{inside}</x></presence>");
        Departure::read(&MucUser::read(&Stanza::from_xml(&xml).unwrap()))
    }

    #[test]
    fn k1_k3_the_code_says_why() {
        assert_eq!(departure("<status code='110'/><status code='307'/>"), Departure::Kicked);
        assert_eq!(departure("<status code='307'/><status code='333'/>"), Departure::Technical);
        assert_eq!(departure("<status code='301'/>"), Departure::Banned);
        assert_eq!(departure("<item/><destroy jid='new@rooms.example'/>"), Departure::Destroyed);
        assert_eq!(departure("<status code='332'/>"), Departure::Shutdown);
        assert_eq!(departure("<status code='x'/><status/>"), Departure::Unexplained);
    }

    #[test]
    fn only_a_lone_subject_is_the_subject() {
        let message = |inside: &str| {
            sets_subject(&Stanza::from_xml(&format!("<message type='groupchat'>{inside}</message>")).unwrap())
        };
        assert!(message("<subject/>"));
        assert!(!message("<subject>a</subject><body>b</body>"));
        assert!(!message("<subject>a</subject><thread>t</thread>"));
        assert!(!message("<body>b</body>"));
    }
}
