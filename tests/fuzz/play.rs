//! Lets a story happen, checks what comes of each call, and measures it.

use std::collections::{BTreeSet, VecDeque};

use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::cost::Cost;
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::{Kind, MessageType, PresenceType, Stanza};

use crate::answers;
use crate::bound::{Bill, Bound};
use crate::events;
use crate::step::{SESSIONS, Step, account_of};
use crate::work;

/// 2026-01-01T00:00:00Z, when every story begins.
const BEGIN_MS: i64 = 1_767_225_600_000;
/// How often the timer comes in one wait.
const MOST_WAKES: usize = 2_000;
/// How often it may come without that time has passed: a replay of the largest room takes fewer.
const MOST_IDLE_WAKES: usize = 2_000;

/// The core, and what a story has to remember.
pub(crate) struct World {
    pub(crate) bouncer: Bouncer,
    pub(crate) config: Config,
    monotonic_ms: u64,
    utc_ms: i64,
    wake_at: Option<u64>,
    reloads: u64,
    /// What rooms have been sent and have not answered.
    unanswered: VecDeque<Stanza>,
    /// The ids of what was sent last, and before that.
    ids: [String; 2],
    /// The service that is asked, and the id of the question.
    pub(crate) asked: Option<(String, String)>,
    /// What was stored last.
    record: String,
    /// The rooms of accounts that there are, or were.
    places: BTreeSet<(String, String)>,
    /// Every call, with what it cost.
    pub(crate) bound: Bound,
}

impl World {
    pub(crate) fn new(bound: Bound) -> Self {
        let config = Config::default();
        Self {
            bouncer: Bouncer::new(config.clone(), 1),
            config,
            monotonic_ms: 0,
            utc_ms: BEGIN_MS,
            wake_at: None,
            reloads: 0,
            unanswered: VecDeque::new(),
            ids: [String::new(), String::new()],
            asked: None,
            record: String::new(),
            places: BTreeSet::new(),
            bound,
        }
    }

    /// Plays a story. Whatever is wrong is a panic.
    pub(crate) fn play(mut self, story: &[Step]) -> Self {
        for step in story {
            self.step(step, 0);
        }
        self
    }

    pub(crate) fn step(&mut self, step: &Step, repetition: usize) {
        match step {
            Step::Sends(session, xml) => {
                let Some(stanza) = self.read(xml, repetition) else { return };
                let session = session % SESSIONS;
                let stanza = stanza.from(Jid::new(&address_of(session)));
                self.happen(
                    "a stanza of a session",
                    Event::ClientStanza { session: SessionId(session), stanza },
                );
            }
            Step::Comes(xml) => {
                let Some(stanza) = self.read(xml, repetition) else { return };
                self.happen("a stanza of a room", Event::RoomStanza { stanza });
            }
            Step::Fails(session, xml) => {
                let Some(stanza) = self.read(xml, repetition) else { return };
                let Some(from) = stanza.from.clone() else { return };
                let to = Jid::new(&address_of(session % SESSIONS));
                let (session, stanza) = (Some(SessionId(session % SESSIONS)), Some(stanza));
                self.happen("a failed delivery", Event::DeliveryFailed { session, to, from, stanza });
            }
            Step::Answers(count) => self.answer(*count),
            Step::Waits(milliseconds) => self.wait(*milliseconds),
            Step::ClockJumps(milliseconds) => self.utc_ms = self.utc_ms.saturating_add(*milliseconds),
            Step::Reload => self.reload(),
            Step::Other(words) => {
                let words = self.fill_in(words, repetition);
                if let Some(config) = events::config(&words) {
                    self.config = config;
                }
                if let Some((kind, event)) = events::read(self, &words) {
                    self.happen(kind, event);
                }
            }
            Step::Times(count, step) => (0..*count).for_each(|repetition| self.step(step, repetition)),
        }
    }

    fn fill_in(&self, text: &str, repetition: usize) -> String {
        if !text.contains(['$', '%']) {
            return text.to_owned();
        }
        text.replace("$id", &self.ids[0])
            .replace("$before", &self.ids[1])
            .replace("$record", &self.record)
            .replace("%n", &repetition.to_string())
    }

    fn read(&self, xml: &str, repetition: usize) -> Option<Stanza> {
        Stanza::from_xml(&self.fill_in(xml, repetition)).ok() // cut short, it may be none
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.monotonic_ms, utc_ms: self.utc_ms }
    }

    pub(crate) fn happen(&mut self, kind: &'static str, event: Event) {
        self.note_place(&event);
        let mut bill = Bill::of_event(kind, &event, self.places.len());
        let now = self.now();
        let (work, outcome) = work::of(|| self.bouncer.handle(now, event));
        self.wake_at = outcome.wake_at;
        for action in &outcome.actions {
            self.note(action);
        }
        bill.take_in(&outcome, work);
        self.bound.check(bill);
    }

    fn note_place(&mut self, event: &Event) {
        let mut note = |account: &str, room: &str| self.places.insert((account.to_owned(), room.to_owned()));
        match event {
            Event::ClientStanza { stanza, .. } => {
                if let (Some(from), Some(to)) = (&stanza.from, &stanza.to) {
                    note(from.bare(), to.bare());
                }
            }
            Event::AlreadyIn { jid, occupant, .. } => {
                note(jid.as_jid().bare(), occupant.bare());
            }
            Event::BookmarkChanged { account, room, .. } => {
                note(account.as_str(), room.as_str());
            }
            Event::Loaded { account, records, .. } => {
                for (room, _) in records {
                    note(account.as_str(), room.as_str());
                }
            }
            Event::LoggedIn { account, bookmarks: Some(bookmarks) } => {
                for (room, _) in bookmarks {
                    note(account.as_str(), room.as_str());
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, action: &Action) {
        match action {
            Action::Send { stanza } => {
                check_sent(stanza);
                self.ids.swap(0, 1);
                stanza.id.as_deref().unwrap_or_default().clone_into(&mut self.ids[0]);
                self.unanswered.push_back((**stanza).clone());
                if self.unanswered.len() > 1_000 {
                    self.unanswered.pop_front();
                }
            }
            Action::AskService { domain, id } => self.asked = Some((domain.clone(), id.to_string())),
            Action::Store { rooms, .. } => {
                if let Some(text) = rooms.iter().find_map(|(_, text)| text.as_ref()) {
                    self.record.clone_from(text);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, count: usize) {
        for _ in 0..count {
            let Some(sent) = self.unanswered.pop_front() else { return };
            for stanza in answers::of(&sent) {
                self.happen("a stanza of a room", Event::RoomStanza { stanza });
            }
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let until_ms = self.monotonic_ms.saturating_add(milliseconds);
        let mut idle = 0;
        for _ in 0..MOST_WAKES {
            let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until_ms) else { break };
            idle = if wake_at > self.monotonic_ms { 0 } else { idle + 1 };
            assert!(idle < MOST_IDLE_WAKES, "the core never sleeps");
            self.pass_until(wake_at);
            self.happen("the timer", Event::DeadlineReached);
        }
        self.pass_until(until_ms);
    }

    fn pass_until(&mut self, until_ms: u64) {
        let passed = until_ms.saturating_sub(self.monotonic_ms);
        self.monotonic_ms += passed;
        self.utc_ms = self.utc_ms.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
    }

    fn reload(&mut self) {
        self.reloads += 1;
        let snapshot = self.bouncer.snapshot().expect("a snapshot");
        self.bouncer = Bouncer::restore(self.config.clone(), 1 + self.reloads, &snapshot)
            .expect("a core of the snapshot");
        let again = self.bouncer.snapshot().expect("a second snapshot");
        assert!(snapshot == again, "a reload changes something{}", difference(&snapshot, &again));
        self.happen("the timer", Event::DeadlineReached);
    }
}

/// Where two texts begin to differ.
fn difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from = at.saturating_sub(80);
    let part =
        |text: &str| String::from_utf8_lossy(&text.as_bytes()[from..text.len().min(at + 80)]).into_owned();
    format!(":\n  {}\n  {}", part(one), part(other))
}

pub(crate) fn address_of(session: u32) -> String {
    format!("{}/d{session}", account_of(session))
}

/// What goes to a room comes from an account of ours, and is no error but in answer to a query (M7, R4).
fn check_sent(stanza: &Stanza) {
    let is_error =
        matches!(stanza.kind, Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error));
    assert!(!is_error, "an error to a room (M7): {}", stanza.to_xml());
    let from = stanza.from.as_ref().map(Jid::as_str);
    assert!(
        from.is_some_and(|from| crate::step::ACCOUNTS.contains(&from)),
        "not from an account (R4): {from:?}"
    );
    assert!(stanza.to.is_some(), "to nobody");
}

/// What a stanza occupies, as the core counts it.
pub(crate) fn cost_of(stanza: &Stanza) -> u64 {
    stanza.cost() as u64
}
