//! Brings the core into a phase, and plays on: carries stanzas between sessions, core and room.

use std::collections::VecDeque;

use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, Outcome, SessionId, Verdict};
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::asks_to_join;
use minimix_core::xmpp::stanza::{IqType, Kind, PresenceType, Stanza};

use crate::room::{Room, number};
use crate::scene::{BEGIN_MS, event, milliseconds};
use crate::shorthand::ACCOUNT;

const SEED: u64 = 7;

/// What came of something.
#[derive(Clone, Debug)]
pub(crate) enum Trace {
    /// A session's stanza goes to the room as it stands, but for its sender and its id.
    Forwarded(Stanza),
    /// A stanza goes to the room, from the account or from a session.
    Sent(Stanza),
    /// A session gets a stanza.
    Got(u32, Stanza),
    /// The stanza in hand is relayed to these sessions.
    Relayed(Vec<u32>, Stanza),
    /// Other sessions get a carbon.
    Mirrored(Vec<u32>),
    /// A private message is stored.
    Stored,
    /// Prosody goes on with it.
    Passed(Stanza),
    /// A session sent something.
    Said(u32, Stanza),
    /// The room sent something.
    Heard(Stanza),
    /// A session has ended or hides.
    Ended(u32),
}

/// A core with sessions and a room.
pub(crate) struct Stage {
    bouncer: Bouncer,
    elapsed_ms: u64,
    wake_at: Option<u64>,
    reloads: u64,
    room: Room,
    /// On its way to the room.
    up: VecDeque<Stanza>,
    /// On its way from the room.
    down: VecDeque<Stanza>,
    pub(crate) traces: Vec<Trace>,
}

impl Stage {
    /// Plays how a phase is reached.
    pub(crate) fn set(setup: &[String]) -> Self {
        let mut stage = Self {
            bouncer: Bouncer::new(Config::default(), SEED),
            elapsed_ms: 0,
            wake_at: None,
            reloads: 0,
            room: Room::default(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            traces: Vec::new(),
        };
        for line in setup {
            stage.play(line);
        }
        stage
    }

    fn play(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("wait", time)) => self.wait(milliseconds(time)),
            Some(("room", "answers")) => self.all_arrives(),
            Some(("room", "hears")) => self.room_hears(),
            Some(("room", what)) => {
                let (does, count) = what.split_once(' ').expect("room says 2");
                match does {
                    "says" => (0..count.parse().expect("a number")).for_each(|_| self.account_hears()),
                    "removes" => self.down.extend(self.room.remove(ACCOUNT, count)),
                    "has" => self.room.crowd = count.parse().expect("a number"),
                    _ => panic!("no such thing: {line}"),
                }
            }
            _ => self.say(line),
        }
    }

    /// Somebody says something: `D1> …` or `room> …`. The id `#ours` is that of the presence that went up last, `#asked`
    /// that of the query.
    pub(crate) fn say(&mut self, line: &str) {
        let (who, what) = line.split_once("> ").unwrap_or_else(|| panic!("no event: {line}"));
        let is_presence = |stanza: &Stanza| stanza.kind == Kind::Presence(PresenceType::Available);
        let is_query = |stanza: &Stanza| matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set));
        let what =
            what.replace("#ours", &self.last_id(is_presence)).replace("#asked", &self.last_id(is_query));
        let event = event(who, &what);
        match &event {
            Event::ClientStanza { session, stanza } => {
                self.traces.push(Trace::Said(session.0, stanza.clone()));
            }
            Event::SessionUnavailable { session } | Event::SessionGone { session } => {
                self.traces.push(Trace::Ended(session.0));
            }
            _ => {}
        }
        self.happen(event);
    }

    /// The id of the last stanza of that kind that went up.
    fn last_id(&self, is_kind: impl Fn(&Stanza) -> bool) -> String {
        let id = |trace: &Trace| match trace {
            Trace::Sent(stanza) | Trace::Forwarded(stanza) if is_kind(stanza) => stanza.id.clone(),
            _ => None,
        };
        self.traces.iter().rev().find_map(id).map_or_else(|| "none".to_owned(), |id| id.to_string())
    }

    /// The module is reloaded.
    pub(crate) fn reload(&mut self) {
        self.reloads += 1;
        let snapshot = self.bouncer.snapshot().expect("a snapshot");
        let seed = SEED + self.reloads;
        self.bouncer = Bouncer::restore(Config::default(), seed, &snapshot).expect("a restored core");
    }

    /// The room answers all that it hears, and the deadlines of a minute pass.
    pub(crate) fn goes_on(&mut self) {
        for _ in 0..12 {
            self.all_arrives();
            self.wait(5_000);
        }
    }

    /// The room says nothing more for long, and at last that the account is out.
    pub(crate) fn falls_silent(&mut self) {
        self.down.clear();
        self.wait(20 * 60_000);
        self.down.extend(self.room.remove(ACCOUNT, "110,307"));
        self.up.clear();
        while !self.down.is_empty() {
            self.account_hears();
        }
        self.wait(60_000);
    }

    fn all_arrives(&mut self) {
        while !self.up.is_empty() || !self.down.is_empty() {
            if self.down.is_empty() {
                self.room_hears();
            }
            self.account_hears();
        }
    }

    fn room_hears(&mut self) {
        while let Some(stanza) = self.up.pop_front() {
            self.down.extend(self.room.hear(&stanza));
        }
    }

    fn account_hears(&mut self) {
        if let Some(stanza) = self.down.pop_front() {
            self.happen(Event::RoomStanza { stanza });
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let until_ms = self.elapsed_ms + milliseconds;
        while let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until_ms) {
            self.elapsed_ms = self.elapsed_ms.max(wake_at);
            self.happen(Event::DeadlineReached);
        }
        self.elapsed_ms = until_ms;
    }

    fn happen(&mut self, event: Event) {
        let in_hand = match &event {
            Event::ClientStanza { stanza, .. } | Event::RoomStanza { stanza } => Some(stanza.clone()),
            _ => None,
        };
        if let Event::RoomStanza { stanza } = &event {
            self.traces.push(Trace::Heard(stanza.clone()));
        }
        let utc_ms = BEGIN_MS + i64::try_from(self.elapsed_ms).expect("a short story");
        let outcome = self.bouncer.handle(Now { monotonic_ms: self.elapsed_ms, utc_ms }, event);
        self.wake_at = outcome.wake_at;
        self.perform(outcome, in_hand.as_ref());
    }

    fn perform(&mut self, outcome: Outcome, in_hand: Option<&Stanza>) {
        for action in outcome.actions {
            self.act(action, in_hand);
        }
        let (Verdict::Pass(_), Some(passed)) = (outcome.verdict, in_hand) else { return };
        self.traces.push(Trace::Passed(passed.clone()));
        let to = passed.to.clone().expect("an address");
        match (passed.from.as_ref().and_then(number), number(&to)) {
            (Some(_), _) => self.up.push_back(passed.clone()), // a session's goes on to the room
            (None, Some(session)) => self.traces.push(Trace::Got(session, passed.clone())),
            (None, None) => {}
        }
    }

    fn act(&mut self, action: Action, in_hand: Option<&Stanza>) {
        let stanza_in_hand = || in_hand.expect("a stanza in hand").clone();
        let numbers = |sessions: &[SessionId]| sessions.iter().map(|session| session.0).collect();
        match action {
            Action::Relay { sessions } => {
                let all_keep = sessions.iter().all(|(_, id)| *id == minimix_core::event::Id::Keep);
                if all_keep {
                    let ids: Vec<_> = sessions.iter().map(|(session, _)| *session).collect();
                    self.traces.push(Trace::Relayed(numbers(&ids), stanza_in_hand()));
                    return;
                }
                for (session, id) in sessions {
                    self.traces.push(Trace::Got(session.0, id.put_on(stanza_in_hand())));
                }
            }
            Action::Deliver { session, stanza } => {
                self.traces.push(Trace::Got(session.0, Stanza::clone(&stanza)));
            }
            Action::Reply { error, by } => {
                let stanza = stanza_in_hand();
                let session = stanza.from.as_ref().and_then(number).expect("a session to reply to");
                self.traces.push(Trace::Got(session, error.reply_to(&stanza, by.as_str())));
            }
            Action::Forward { id } => {
                let stanza = id.put_on(stanza_in_hand()).from(Jid::new(ACCOUNT));
                self.traces.push(Trace::Forwarded(stanza.clone()));
                self.up.push_back(stanza);
            }
            Action::Send { stanza } | Action::SendAs { stanza, .. } => {
                self.traces.push(Trace::Sent(Stanza::clone(&stanza)));
                self.up.push_back(Stanza::clone(&stanza));
            }
            Action::Mirror { sessions, .. } => self.traces.push(Trace::Mirrored(numbers(&sessions))),
            Action::StoreOffline { .. } => self.traces.push(Trace::Stored),
            // nothing waits here, nothing is stored, and nobody is notified
            Action::Drop { .. }
            | Action::AskService { .. }
            | Action::Store { .. }
            | Action::Log { .. }
            | Action::ReadLog { .. }
            | Action::Notify { .. } => {}
        }
    }
}

/// Whether a stanza of a session is to be answered with its id.
pub(crate) fn expects_answer(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Presence(PresenceType::Available) | Kind::Iq(IqType::Get | IqType::Set))
        || asks_to_join(stanza)
}
