//! One call of the core: when it happens, what it may consult, and what it decides.

use crate::config::Config;
use crate::event::{Action, Id, Now, SessionId};
use crate::ids::Ids;
use crate::stanza::{Kept, Stanza};

/// What every decision of one call shares.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    ids: &'a mut Ids,
    actions: Vec<Action>,
    direct_service: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(now: Now, config: &'a Config, ids: &'a mut Ids) -> Self {
        Self { now, config, ids, actions: Vec::new(), direct_service: false }
    }

    /// All that has been decided.
    pub(crate) fn into_actions(self) -> Vec<Action> {
        self.actions
    }

    /// The room's service turns out not to take accounts (design decision 1).
    pub(crate) fn find_direct_service(&mut self) {
        self.direct_service = true;
    }

    /// Whether the room's service turned out not to take accounts.
    pub(crate) fn found_direct_service(&self) -> bool {
        self.direct_service
    }

    /// An id that nobody can guess.
    pub(crate) fn fresh_id(&mut self) -> Box<str> {
        self.ids.next()
    }

    /// The monotonic time in that many milliseconds.
    pub(crate) fn after(&self, milliseconds: u64) -> u64 {
        self.now.monotonic_ms.saturating_add(milliseconds)
    }

    /// Whether that monotonic time has come.
    pub(crate) fn is_due(&self, deadline_ms: u64) -> bool {
        self.now.monotonic_ms >= deadline_ms
    }

    /// How many milliseconds ago that monotonic time was.
    pub(crate) fn since(&self, past_ms: u64) -> u64 {
        self.now.monotonic_ms.saturating_sub(past_ms)
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Orders a stanza of ours to be delivered to one session.
    pub(crate) fn deliver(&mut self, session: SessionId, stanza: Stanza) {
        self.deliver_kept(session, Kept::without_to(stanza));
    }

    pub(crate) fn deliver_kept(&mut self, session: SessionId, stanza: Kept) {
        self.act(Action::Deliver { session, stanza });
    }

    /// Orders a stanza of ours to be sent to the room.
    pub(crate) fn send(&mut self, stanza: Stanza) {
        self.act(Action::Send { stanza: Kept::own(stanza) });
    }

    /// Has this delivered wherever the stanza in hand would be relayed.
    pub(crate) fn deliver_what_is_relayed(&mut self, stanza: &Stanza) {
        for action in std::mem::take(&mut self.actions) {
            let Action::Relay { sessions } = action else {
                self.actions.push(action);
                continue;
            };
            for (session, id) in sessions {
                self.deliver(session, id.put_on(stanza.clone()));
            }
        }
    }

    /// Orders the stanza in hand to be relayed; to nobody is no order.
    pub(crate) fn relay(&mut self, sessions: Vec<(SessionId, Id)>) {
        if !sessions.is_empty() {
            self.act(Action::Relay { sessions });
        }
    }
}
