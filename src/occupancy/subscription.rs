//! Subscriptions to the room: Prosody sends them as the account, and the room refuses them (RFC 6121 §3).

use super::Occupancy;
use super::base::Base;
use crate::config::limit;
use crate::event::{Id, SessionId};
use crate::pending::subscriptions::Subscriber;
use crate::turn::Turn;
use crate::xmpp::muc::NS_MUC;
use crate::xmpp::stanza::{Element, Kind, NS_CLIENT, NS_STANZAS, PresenceType, Stanza};

impl Occupancy {
    /// A subscription passes, since the account's roster has a part in it. Its sender is remembered for its refusal
    /// (J11).
    pub(super) fn note_subscription(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        if stanza.kind != Kind::Presence(PresenceType::Other) || self.is_foreign() {
            return;
        }
        let before = self.base.subscriptions.cost();
        let most = turn.most(before, limit::WISHES_COST);
        self.base.subscriptions.remember(stanza.id.clone(), session, turn.now.monotonic_ms, most);
        turn.note_growth(before, self.base.subscriptions.cost());
    }
}

impl Base {
    /// Takes an error that refuses a subscription, and so says nothing of the account's being in; false if it is
    /// another.
    pub(super) fn subscription_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        if error.kind != Kind::Presence(PresenceType::Error) {
            return false;
        }
        let nick = error.sender_nick();
        if nick.as_ref().is_some_and(|nick| *nick != self.me.nick) {
            return false;
        }
        let Some(Subscriber(session)) = self.subscriptions.refused(&error.id) else { return false };
        let Some(session) = session else { return true };
        if nick.is_none() {
            turn.relay(vec![(session, Id::Keep)]);
        } else {
            // Prosody's room takes it for presence of the occupant that the account is; a session would be a stranger.
            let mut refusal = error.clone().from(self.me.room.to_jid());
            refusal.children = vec![no_contact()];
            turn.deliver(session, refusal);
        }
        true
    }

    /// Whether an error may answer a subscription that Prosody has repeated when a session came online. It repeats
    /// those that were never answered, without an id, while everything of ours has one. A service that gives back no
    /// ids answers a join or a nick change from the nick that was asked for.
    pub(super) fn answers_repetition(&self, error: &Stanza, reflects_ids: bool) -> bool {
        let nick = error.sender_nick();
        let is_from_us = reflects_ids && nick.as_ref() == Some(&self.me.nick);
        error.id.is_none() && (nick.is_none() || is_from_us) && !error.has("x", NS_MUC)
    }
}

/// The error with which a room refuses the subscription of somebody who is not in it.
fn no_contact() -> Element {
    let condition = Element::build("service-unavailable", NS_STANZAS).done();
    Element::build("error", NS_CLIENT).attribute("type", "cancel").child(condition).done()
}
