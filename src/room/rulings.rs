//! What a room makes of the claims in the account's presence (F41). Each element that goes up is a claim. The
//! room passes it, drops it or says something else instead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::lazy::can_be_empty;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::stanza::{Element, Kept, Kind, PresenceType, Stanza};

/// Whatever namespace begins so is for rooms to speak in, and no room passes it on for a client.
const NAMESPACES_OF_ROOMS: [&str; 6] = [
    "http://jabber.org/protocol/muc",
    "urn:xmpp:occupant-id:",
    "urn:xmpp:hats:",
    "xmpp:prosody.im/protocol/hats:",
    "urn:xmpp:delay",
    "jabber:x:delay",
];

/// What the room has overruled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rulings {
    /// Names and namespaces of which the room last had its own way.
    kinds: Vec<(Box<str>, Box<str>)>,
    /// Claims that did not pass, the newest last.
    claims: Vec<Overruled>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Overruled {
    /// One element.
    claim: Kept,
    /// What the room showed in its place.
    instead: Kept,
}

/// The elements with one name and namespace.
#[derive(Debug, Default)]
struct OfKind<'a> {
    claims: Vec<&'a Element>,
    shown: Vec<&'a Element>,
}

/// Whether only a room says such a thing, whatever a client claims.
pub(super) fn is_said_by_rooms(element: &Element) -> bool {
    element.is("stanza-id", NS_STANZA_ID)
        || NAMESPACES_OF_ROOMS.iter().any(|prefix| element.namespace.starts_with(prefix))
}

can_be_empty!(Rulings);

impl Rulings {
    /// Takes in what came back of a payload that went up.
    pub(super) fn learn(&mut self, sent: &[Element], shown: &[Element]) {
        for ((name, namespace), OfKind { claims, shown }) in by_kind(sent, shown) {
            self.claims.retain(|overruled| !claims.iter().any(|claim| overruled.is(claim)));
            self.kinds.retain(|kind| (&*kind.0, &*kind.1) != (name, namespace));
            if claims != shown && name.len() + namespace.len() <= limit::RULING_BYTES {
                self.kinds.push((name.into(), namespace.into()));
                self.claims.extend(Overruled::all(&claims, &shown));
            }
        }
        keep_newest(&mut self.kinds);
        keep_newest(&mut self.claims);
    }

    /// In how many kinds of elements the room has its own way.
    pub(super) fn count_overruled(sent: &[Element], shown: &[Element]) -> usize {
        by_kind(sent, shown).values().filter(|kind| kind.claims != kind.shown).count()
    }

    /// Whether the room has its own way in such elements.
    pub(super) fn overrule(&self, element: &Element) -> bool {
        is_said_by_rooms(element) || self.kinds.iter().any(|(name, namespace)| element.is(name, namespace))
    }

    /// What the room is expected to make of a payload: without that in which it has its own way in any case.
    pub(super) fn applied_to(&self, payload: &[Element]) -> Vec<Element> {
        let passes = |claim: &&Element| !self.overrule(claim);
        payload.iter().filter(passes).flat_map(|claim| self.made_of(claim)).cloned().collect()
    }

    fn made_of<'a>(&'a self, claim: &'a Element) -> &'a [Element] {
        let ruling = self.claims.iter().find(|overruled| overruled.is(claim));
        ruling.map_or(std::slice::from_ref(claim), |overruled| &overruled.instead.children)
    }
}

impl Overruled {
    /// The claims of one kind. The first of them stands for what the room showed instead of all.
    fn all(claims: &[&Element], instead: &[&Element]) -> impl Iterator<Item = Self> {
        claims.iter().enumerate().filter(|(_, claim)| claim.weight() <= limit::RULING_BYTES).map(
            |(number, claim)| {
                let instead =
                    instead.iter().filter(|shown| number == 0 && shown.weight() <= limit::RULING_BYTES);
                Self { claim: keep([*claim]), instead: keep(instead.copied()) }
            },
        )
    }

    fn is(&self, claim: &Element) -> bool {
        self.claim.children.first() == Some(claim)
    }
}

fn keep<'a>(elements: impl IntoIterator<Item = &'a Element>) -> Kept {
    let presence = Stanza::new(Kind::Presence(PresenceType::Available));
    Kept::own(presence.children(elements.into_iter().cloned()))
}

/// The elements of each kind, without what only rooms say.
fn by_kind<'a>(sent: &'a [Element], shown: &'a [Element]) -> BTreeMap<(&'a str, &'a str), OfKind<'a>> {
    let mut kinds = BTreeMap::<_, OfKind<'a>>::new();
    for claim in sent.iter().filter(|claim| !is_said_by_rooms(claim)) {
        kinds.entry((&*claim.name, &*claim.namespace)).or_default().claims.push(claim);
    }
    for shown in shown.iter().filter(|shown| !is_said_by_rooms(shown)) {
        kinds.entry((&*shown.name, &*shown.namespace)).or_default().shown.push(shown);
    }
    kinds
}

fn keep_newest<T>(entries: &mut Vec<T>) {
    let surplus = entries.len().saturating_sub(limit::RULINGS);
    entries.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(xml: &str) -> Vec<Element> {
        Stanza::from_xml(&format!("<presence>{xml}</presence>")).unwrap().children
    }

    #[test]
    fn f41_a_claim_stays_overruled_until_the_room_lets_it_pass() {
        let mut rulings = Rulings::default();
        let (spam, ham, stars) =
            (claims("<status>spam</status>"), claims("<status>ham</status>"), claims("<status>*</status>"));
        rulings.learn(&spam, &stars);
        assert_eq!(rulings.applied_to(&ham), []);
        rulings.learn(&ham, &ham);
        assert_eq!(rulings.applied_to(&ham), ham);
        assert_eq!(rulings.applied_to(&spam), stars);
        rulings.learn(&spam, &spam);
        assert_eq!(rulings.applied_to(&spam), spam);
    }

    #[test]
    fn r7_rulings_are_limited_in_number_and_size() {
        let mut rulings = Rulings::default();
        for number in 0..limit::RULINGS + 10 {
            rulings.learn(&claims(&format!("<badge{number} xmlns='urn:b'/>")), &[]);
        }
        rulings.learn(&claims(&format!("<status>{}</status>", "x".repeat(limit::RULING_BYTES))), &[]);
        rulings.learn(&claims(&format!("<{} xmlns='urn:b'/>", "x".repeat(limit::RULING_BYTES))), &[]);
        assert_eq!((rulings.kinds.len(), rulings.claims.len()), (limit::RULINGS, limit::RULINGS));
        assert!(rulings.claims.iter().all(|overruled| overruled.claim.weight() <= limit::RULING_BYTES));
    }
}
