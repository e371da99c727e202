//! A core whose accounts are in rooms, and what these show.

use std::alloc::System;

use cap::Cap;
use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::Stanza;
use serde_json::Value;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const JOIN: &str = "<presence id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>";

/// A core, and what it has been told.
pub(crate) struct Scene {
    bouncer: Bouncer,
    pub(crate) now_ms: u64,
    sessions: u32,
    before: usize,
}

/// How many of whom and of what are kept of a room.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) occupants: usize,
    pub(crate) messages: usize,
}

impl Scene {
    pub(crate) fn new(config: Config) -> Self {
        let before = MEMORY.allocated();
        Self { bouncer: Bouncer::new(config, 1), now_ms: 1, sessions: 0, before }
    }

    pub(crate) fn happens(&mut self, event: Event) -> Vec<Action> {
        let now = Now { monotonic_ms: self.now_ms, utc_ms: self.now_ms.cast_signed() };
        self.bouncer.handle(now, event).actions
    }

    /// How many bytes it needs.
    pub(crate) fn kept(&self) -> usize {
        MEMORY.allocated() - self.before
    }

    /// A new session of that account sends that.
    pub(crate) fn sends(&mut self, account: &str, to: &str, xml: &str) -> Vec<Action> {
        self.sessions += 1;
        self.sends_again(account, to, xml)
    }

    /// The newest session sends that.
    pub(crate) fn sends_again(&mut self, account: &str, to: &str, xml: &str) -> Vec<Action> {
        let stanza = Stanza::from_xml(xml).unwrap();
        let from = Jid::new(&format!("{account}@example.org/d{}", self.sessions));
        let session = SessionId(self.sessions);
        self.happens(Event::ClientStanza { session, stanza: stanza.from(from).to(Jid::new(to)) })
    }

    pub(crate) fn asks_to_join(&mut self, account: &str, room: &str) -> Vec<Action> {
        self.sends(account, &format!("{room}/me"), JOIN)
    }

    /// A room sends that to an account.
    pub(crate) fn arrives(&mut self, account: &str, from: &str, xml: &str) -> Vec<Action> {
        let to = Jid::new(&format!("{account}@example.org"));
        let stanza = Stanza::from_xml(xml).unwrap().from(Jid::new(from)).to(to);
        self.happens(Event::RoomStanza { stanza })
    }

    /// An account is in a room.
    pub(crate) fn is_in(&mut self, account: &str, room: &str) {
        self.asks_to_join(account, room);
        self.is_let_in(account, room);
    }

    /// A room lets an account in that has asked.
    pub(crate) fn is_let_in(&mut self, account: &str, room: &str) {
        let own = "<presence><x xmlns='http://jabber.org/protocol/muc#user'>\
                   <item affiliation='none' role='participant'/><status code='110'/></x></presence>";
        self.arrives(account, &format!("{room}/me"), own);
        self.arrives(account, room, "<message type='groupchat'><subject/></message>");
    }

    /// An occupant comes, with that in its presence, and alice's sessions are shown it; so many.
    pub(crate) fn comes(&mut self, room: &str, number: usize, payload: &str) -> usize {
        self.comes_to("alice", room, number, payload)
    }

    pub(crate) fn comes_to(&mut self, account: &str, room: &str, number: usize, payload: &str) -> usize {
        let presence = format!("<presence>{payload}</presence>");
        relays(&self.arrives(account, &format!("{room}/n{number}"), &presence))
    }

    pub(crate) fn goes(&mut self, room: &str, number: usize) {
        self.arrives("alice", &format!("{room}/n{number}"), "<presence type='unavailable'/>");
    }

    /// An occupant says that to alice's room; so many of its sessions are shown it.
    pub(crate) fn says(&mut self, room: &str, number: usize, payload: &str) -> usize {
        self.says_to("alice", room, number, payload)
    }

    pub(crate) fn says_to(&mut self, account: &str, room: &str, number: usize, payload: &str) -> usize {
        let message = format!("<message type='groupchat' id='m{number}'><body>{payload}</body></message>");
        relays(&self.arrives(account, &format!("{room}/n{number}"), &message))
    }

    /// All that is due is done. Gives in how many calls; a core that would be woken for ever fails.
    pub(crate) fn does_what_is_due(&mut self) -> usize {
        let now = Now { monotonic_ms: self.now_ms, utc_ms: self.now_ms.cast_signed() };
        let mut is_over = || {
            let wake_at = self.bouncer.handle(now, Event::DeadlineReached).wake_at;
            wake_at.is_none_or(|wake_at| wake_at > now.monotonic_ms)
        };
        (1..1_000).find(|_| is_over()).expect("it is woken for ever")
    }

    /// What is kept of a room of alice's.
    pub(crate) fn copy(&self, room: &str) -> Copy {
        self.copy_of("alice", room)
    }

    pub(crate) fn copy_of(&self, account: &str, room: &str) -> Copy {
        let snapshot = self.bouncer.snapshot().unwrap();
        let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
        let account = &snapshot["state"]["accounts"][format!("{account}@example.org")];
        let copy = &account["rooms"][room]["occupancy"]["base"]["room"];
        let runs = copy["roster"]["occupants"].as_array().unwrap().iter();
        let occupants = runs.map(|run| usize::try_from(run[1].as_u64().unwrap()).unwrap()).sum();
        Copy { occupants, messages: copy["history"]["entries"].as_array().unwrap().len() }
    }
}

fn relays(actions: &[Action]) -> usize {
    let receivers = |action: &Action| match action {
        Action::Relay { sessions } => sessions.len(),
        _ => 0,
    };
    actions.iter().map(receivers).sum()
}

/// Whether a join is answered with `resource-constraint`.
pub(crate) fn is_refused(actions: &[Action]) -> bool {
    let [Action::Deliver { stanza, .. }] = actions else { return false };
    stanza.error_condition() == Some("resource-constraint")
}

/// A payload that costs about so many bytes, and has far fewer on the wire.
pub(crate) fn dear(cost: usize) -> String {
    format!("<x xmlns='urn:x'>{}</x>", "<a/>".repeat(cost / 100))
}
