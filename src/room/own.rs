//! The account's own presence in a room: as it went up, as it came back, and as each session is to see it.
//!
//! A session sees the presence that it would get if it had joined alone. The room's word counts more than the
//! session's (F41): what the room drops or rewrites no session is shown as if it had passed.

use serde::{Deserialize, Serialize};

use super::rulings::{Rulings, is_said_by_rooms};
use super::self_presence::{client_payload, left_element, name_session, retain_codes};
use super::shown::{Remembered, Shown};
use crate::lazy::Lazy;
use crate::xmpp::jid::{BareJid, FullJid};
use crate::xmpp::muc::NS_MUC_USER;
use crate::xmpp::stanza::{Element, Kept, Kind, NS_CLIENT, PresenceType, Stanza};

/// Payloads of clients: if they change, the room itself has said nothing new.
const CLIENT_PAYLOADS: [(&str, &str); 8] = [
    ("show", NS_CLIENT),
    ("status", NS_CLIENT),
    ("priority", NS_CLIENT),
    ("c", "http://jabber.org/protocol/caps"),
    ("c", "urn:xmpp:caps"),
    ("x", "vcard-temp:x:update"),
    ("idle", "urn:xmpp:idle:1"),
    ("nick", "http://jabber.org/protocol/nick"),
];

/// The account's own presence in the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Own {
    /// As the room last showed it to the account.
    shown: Shown,
    /// How often that has changed.
    #[serde(skip)]
    changes: u32,
    /// As the account last sent it.
    pub(crate) sent: Kept,
    /// Whether the room has left aside what was last sent.
    is_left_aside: bool,
    /// As the account had sent it when the room showed it: the room may not have answered the last one yet.
    reflected: Kept,
    rulings: Lazy<Rulings>,
    /// Whether the room answers a presence under its id, as it did with the join (§7.2.2 leaves it open).
    pub(crate) reflects_ids: bool,
}

impl Own {
    /// The room has let the account in.
    pub(crate) fn new(shown: Kept, sent: Kept, reflects_ids: bool) -> Self {
        let reflected = sent.clone();
        let mut own = Self {
            shown: Shown::by_room(shown),
            changes: 0,
            sent,
            is_left_aside: false,
            reflected,
            rulings: Lazy::default(),
            reflects_ids,
        };
        own.learn();
        own
    }

    /// The account was in before a start.
    pub(crate) fn before(remembered: Remembered) -> Self {
        let sent = remembered.sent();
        Self {
            reflected: sent.clone(),
            sent,
            shown: Shown::before(remembered),
            changes: 0,
            is_left_aside: false,
            rulings: Lazy::default(),
            reflects_ids: false,
        }
    }

    /// Takes in what the room has made of our claims.
    fn learn(&mut self) {
        self.rulings.learn(&self.reflected.children, &self.shown.stanza().children);
    }

    /// As the room last showed it to the account.
    pub(crate) fn shown(&self) -> &Kept {
        self.shown.stanza()
    }

    /// About how many bytes it costs as the room shows it.
    pub(crate) fn cost(&self) -> usize {
        self.shown.cost()
    }

    /// How often that has changed.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// What the account is in the room, if the room says so.
    pub(crate) fn affiliation(&self) -> Option<&str> {
        self.shown.affiliation()
    }

    /// The account's occupant-id (XEP-0421).
    pub(crate) fn occupant_id(&self) -> Option<&str> {
        self.shown.occupant_id()
    }

    /// The room shows it again. It reflects one of those presences of ours, the one that it resembles most.
    pub(crate) fn came(&mut self, shown: Kept, candidates: &[Kept]) {
        let overruled = |sent: &&Kept| Rulings::count_overruled(&sent.children, &shown.children);
        if let Some(reflected) = candidates.iter().min_by_key(overruled) {
            self.reflected = reflected.clone();
        }
        self.show(shown);
        self.learn();
    }

    fn show(&mut self, shown: Kept) {
        self.shown = Shown::by_room(shown);
        self.changes = self.changes.wrapping_add(1);
    }

    /// The room has changed the nick. ejabberd leaves the rest as it was, whatever came with the new nick.
    pub(crate) fn note_renamed(&mut self) {
        let is_as_sent = |name: &&str| self.shown().text_of(name) == self.sent.text_of(name);
        self.is_left_aside = !["show", "status"].iter().all(is_as_sent);
    }

    /// The account sends that.
    pub(crate) fn note_sent(&mut self, sent: Kept) {
        self.sent = sent;
        self.is_left_aside = false;
    }

    /// Whether the room shows something else than that, as far as it is known.
    pub(crate) fn differs_from(&self, wanted: &Stanza) -> bool {
        self.is_left_aside || wanted.children != self.sent.children
    }

    /// What it may reflect if the room says it of its own accord: the last presence of ours, or an earlier one
    /// if that is not answered.
    pub(crate) fn candidates(&self, is_answered: bool) -> [Kept; 2] {
        let (last, earlier) = (self.sent.clone(), self.reflected.clone());
        if is_answered { [last, earlier] } else { [earlier, last] }
    }

    /// The same presence, altered by us.
    pub(crate) fn amend(&mut self, alter: impl FnOnce(Stanza) -> Stanza) {
        self.show(Kept::own(alter(Stanza::clone(self.shown()))));
    }

    /// The room's self-presence as the session with that address and presence is to see it (N13).
    pub(crate) fn personal(&self, account: &BareJid, session: &FullJid, presence: &Stanza) -> Stanza {
        let mut made = Stanza::clone(self.shown());
        if presence.children != self.reflected.children {
            let is_shown =
                |child: &Element| self.is_of_room(child) || self.replaces(child, &presence.children);
            made.children.retain(is_shown);
            made.children.splice(0..0, self.rulings.applied_to(&presence.children));
        }
        if self.shown().attributes == self.reflected.attributes {
            made.attributes.clone_from(&presence.attributes);
        }
        name_session(&mut made, account, session);
        made
    }

    /// Whether the room says that itself, and not in answer to a claim.
    fn is_of_room(&self, child: &Element) -> bool {
        is_said_by_rooms(child) || !has_kind(&self.reflected.children, child)
    }

    /// Whether the room says that instead of one of those claims.
    fn replaces(&self, child: &Element, claims: &[Element]) -> bool {
        self.rulings.overrule(child) && has_kind(claims, child)
    }

    /// Whether the room says something of the account that it had not said. Codes belong to their occasion.
    /// `strip` takes out what is for one session.
    pub(crate) fn is_told_otherwise(&self, presence: &Stanza, strip: impl Fn(&mut Stanza)) -> bool {
        let essence = |presence: &Stanza| {
            let mut presence = presence.clone();
            retain_codes(&mut presence, |_| false);
            strip(&mut presence);
            presence
        };
        let (presence, known) = (essence(presence), essence(self.shown()));
        presence.from != known.from || self.said_by_room(&presence).ne(self.said_by_room(&known))
    }

    /// What the room itself says in a self-presence: all but payloads of clients and what we have sent.
    fn said_by_room<'a>(&'a self, presence: &'a Stanza) -> impl Iterator<Item = &'a Element> {
        let is_claimed = |child: &Element| {
            CLIENT_PAYLOADS.iter().any(|(name, namespace)| child.is(name, namespace))
                || has_kind(&self.sent.children, child)
                || has_kind(&self.reflected.children, child)
        };
        presence.children.iter().filter(move |child| is_said_by_rooms(child) || !is_claimed(child))
    }

    /// The room's self-presence without what the account says of itself.
    pub(crate) fn without_claims(&self) -> Stanza {
        let said = self.said_by_room(self.shown()).cloned().collect();
        Stanza { children: said, ..Stanza::clone(self.shown()) }
    }

    /// What a stock room answers to the leave of a session (L1).
    pub(crate) fn left(&self, account: &BareJid, leave: &Stanza) -> Stanza {
        let mut made = left(leave, self.rulings.applied_to(&client_payload(leave)));
        let affiliation = self.affiliation();
        for child in self.said_by_room(self.shown()) {
            let is_about_it = child.is("x", NS_MUC_USER);
            let told = is_about_it.then(|| left_element(affiliation, child));
            made.children.push(told.unwrap_or_else(|| child.clone()));
        }
        if let Some(session) = leave.from.as_ref().and_then(FullJid::new) {
            name_session(&mut made, account, &session);
        }
        made
    }
}

/// Whether one of the elements has the same name and namespace.
fn has_kind(elements: &[Element], wanted: &Element) -> bool {
    elements.iter().any(|element| element.is(&wanted.name, &wanted.namespace))
}

/// What is answered to the leave of a session that the room has not shown the account to.
pub(crate) fn left_unseen(leave: &Stanza) -> Stanza {
    let claims = client_payload(leave);
    let payload = claims.into_iter().filter(|claim| !is_said_by_rooms(claim)).collect();
    let x = Element::build("x", NS_MUC_USER).done();
    left(leave, payload).child(left_element(None, &x))
}

fn left(leave: &Stanza, payload: Vec<Element>) -> Stanza {
    let mut made = Stanza::new(Kind::Presence(PresenceType::Unavailable)).id(leave.id.as_deref());
    made.attributes.clone_from(&leave.attributes);
    made.children = payload;
    made
}

#[cfg(test)]
mod tests {
    use super::super::self_presence::occupant_id;
    use super::*;
    use crate::xmpp::jid::Jid;
    use crate::xmpp::muc::MucUser;

    fn presence(payload: &str) -> Kept {
        Kept::own(Stanza::from_xml(&format!("<presence>{payload}</presence>")).unwrap())
    }

    fn own(sent: &str) -> Own {
        let shown = Stanza::from_xml(
            "<presence from='lounge@rooms.example/alice' id='up'><show>away</show>\
             <x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='member' role='participant' jid='alice@example.org'/>\
             <status code='100'/><status code='110'/></x>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/></presence>",
        );
        Own::new(Kept::own(shown.unwrap()), presence(sent), true)
    }

    fn seen(own: &Own, claims: &str) -> Stanza {
        let session = FullJid::new(&Jid::new("alice@example.org/desk")).unwrap();
        own.personal(&BareJid::new("alice@example.org"), &session, &presence(claims))
    }

    #[test]
    fn n13_j5_a_session_sees_its_own_address_and_show() {
        let made = seen(&own("<show>away</show>"), "<show>dnd</show>");
        assert_eq!(made.text_of("show").as_deref(), Some("dnd"));
        assert_eq!(MucUser::read(&made).jid.as_deref(), Some("alice@example.org/desk"));
        assert_eq!(made.children.len(), 3);
    }

    #[test]
    fn f41_the_representative_sees_what_the_room_sent() {
        for claims in ["<show>away</show>", "<show>dnd</show>", "<badge xmlns='urn:b'/>"] {
            let own = own(claims);
            let children = &seen(&own, claims).children;
            assert_eq!(children.len(), own.shown().children.len(), "{claims}");
            assert_eq!(children.first(), own.shown().children.first(), "{claims}");
        }
    }

    #[test]
    fn f41_what_the_room_says_without_a_claim_is_for_all() {
        assert_eq!(seen(&own(""), "").text_of("show").as_deref(), Some("away"));
        assert_eq!(seen(&own(""), "<show>dnd</show>").text_of("show").as_deref(), Some("away"));
        assert_eq!(seen(&own("<show>dnd</show>"), "").text_of("show"), None, "that is somebody else's");
    }

    #[test]
    fn l1_a_leave_is_answered_as_a_stock_room_does() {
        let leave = Stanza::from_xml(
            "<presence from='alice@example.org/desk' type='unavailable' id='l'><status>bye</status></presence>",
        )
        .unwrap();
        let made = own("<show>away</show>").left(&BareJid::new("alice@example.org"), &leave);
        let occupant = MucUser::read(&made);
        assert_eq!(occupant.codes, [110]);
        assert_eq!(occupant.role.as_deref(), Some("none"));
        assert_eq!(occupant.affiliation.as_deref(), Some("member"));
        assert_eq!(occupant.jid.as_deref(), Some("alice@example.org/desk"));
        assert_eq!(made.text_of("status").as_deref(), Some("bye"));
        assert!(occupant_id(&made).is_some() && made.text_of("show").is_none());
    }
}
