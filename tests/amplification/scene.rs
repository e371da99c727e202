//! An account in many rooms, with a session that means harm and another whose presence is as large as may be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minimix_core::bouncer::Bouncer;
use minimix_core::config::Config;
use minimix_core::event::{Action, Event, Now, SessionId};
use minimix_core::xmpp::jid::{BareJid, Jid};
use minimix_core::xmpp::stanza::{Kind, Stanza};

use crate::room::{self, Pace};

pub(crate) const ROOMS: u64 = 40;
pub(crate) const NS_MUC: &str = "http://jabber.org/protocol/muc";
const ACCOUNT: &str = "alice@example.org";
const WINDOW_MS: u64 = 10_000;
/// As long as a presence may be that stands for the account.
const LARGE: usize = 15_000;

/// The session that means harm.
pub(crate) const MALLORY: u32 = 0;
const OTHER: u32 = 1;

pub(crate) struct Scene {
    bouncer: Bouncer,
    pub(crate) now_ms: u64,
    wake_at: Option<u64>,
    pace: Pace,
    /// What rooms will say, and when.
    answers: VecDeque<(u64, Stanza)>,
    /// The rooms that may be told one presence for nothing.
    free: BTreeSet<String>,
    /// When so many bytes were received and sent.
    counts: BTreeMap<u64, (usize, usize)>,
    /// When which room was sent a presence.
    pub(crate) told: Vec<(u64, String)>,
    is_measuring: bool,
    last: Option<Stanza>,
}

pub(crate) fn room(number: u64) -> String {
    format!("r{number}@b.c")
}

impl Scene {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            bouncer: Bouncer::new(Config::default(), 1),
            now_ms: 1,
            wake_at: None,
            pace,
            answers: VecDeque::new(),
            free: BTreeSet::new(),
            counts: BTreeMap::new(),
            told: Vec::new(),
            is_measuring: false,
            last: None,
        }
    }

    /// Both sessions are in all rooms.
    pub(crate) fn fill_rooms(&mut self) {
        let avatar = "<x xmlns='vcard-temp:x:update'/>";
        let status = format!("<show>away</show>{avatar}<status>{}</status>", "s".repeat(LARGE));
        for number in 0..ROOMS {
            for (session, payload) in [(OTHER, status.as_str()), (MALLORY, avatar)] {
                let xml =
                    format!("<presence to='{}/n'><x xmlns='{NS_MUC}'/>{payload}</presence>", room(number));
                self.sends(session, &xml);
                self.wait_until(self.now_ms + 1_500);
            }
        }
        self.wait_until(self.now_ms + 120_000);
        self.is_measuring = true;
        self.told.clear();
    }

    /// A session sends that; so many bytes.
    pub(crate) fn sends(&mut self, session: u32, xml: &str) -> u64 {
        let from = Jid::new(&format!("{ACCOUNT}/d{session}"));
        let stanza = Stanza::from_xml(xml).unwrap().from(from);
        self.count(xml.len(), 0);
        self.happens(Event::ClientStanza { session: SessionId(session), stanza });
        xml.len() as u64
    }

    /// Something happens of which all rooms are told once.
    pub(crate) fn is_told_to_all(&mut self, event: Event, bytes: usize) -> u64 {
        self.count(bytes, 0);
        self.free = (0..ROOMS).map(room).collect();
        self.happens(event);
        bytes as u64
    }

    pub(crate) fn account() -> BareJid {
        BareJid::new(ACCOUNT)
    }

    pub(crate) fn wait_until(&mut self, until_ms: u64) {
        loop {
            let answer_ms = self.answers.front().map(|(at_ms, _)| *at_ms);
            let next_ms = answer_ms.into_iter().chain(self.wake_at).min();
            let Some(next_ms) = next_ms.filter(|next_ms| *next_ms <= until_ms) else { break };
            self.now_ms = self.now_ms.max(next_ms);
            if answer_ms == Some(next_ms) {
                let (_, stanza) = self.answers.pop_front().unwrap();
                self.happens(Event::RoomStanza { stanza });
            } else {
                self.happens(Event::DeadlineReached);
            }
        }
        self.now_ms = self.now_ms.max(until_ms);
    }

    fn happens(&mut self, event: Event) {
        let in_hand = match &event {
            Event::ClientStanza { stanza, .. } => Some(stanza.clone()),
            _ => None,
        };
        let now = Now { monotonic_ms: self.now_ms, utc_ms: self.now_ms.cast_signed() };
        let outcome = self.bouncer.handle(now, event);
        self.wake_at = outcome.wake_at;
        for action in outcome.actions {
            match action {
                Action::Send { stanza } | Action::SendAs { stanza, .. } => self.goes_up(&stanza),
                Action::Forward { id } => {
                    let stanza = in_hand.clone().unwrap().from(Jid::new(ACCOUNT));
                    self.goes_up(&id.put_on(stanza));
                }
                _ => {}
            }
        }
    }

    fn goes_up(&mut self, stanza: &Stanza) {
        let room = stanza.to.as_ref().unwrap().bare().to_owned();
        let is_presence = matches!(stanza.kind, Kind::Presence(_));
        if !(is_presence && self.free.remove(&room)) {
            self.count(0, stanza.to_xml().len());
        }
        if is_presence {
            self.last = Some(stanza.clone());
        }
        self.told.extend(is_presence.then_some((self.now_ms, room)));
        let at_ms = self.now_ms + self.pace.milliseconds();
        self.answers.extend(room::answers(stanza).into_iter().map(|answer| (at_ms, answer)));
    }

    fn count(&mut self, received: usize, sent: usize) {
        if self.is_measuring {
            let counts = self.counts.entry(self.now_ms).or_default();
            *counts = (counts.0 + received, counts.1 + sent);
        }
    }

    /// What was received and sent in the ten seconds in which most was sent for what was received.
    pub(crate) fn worst_window(&self) -> (usize, usize) {
        let Some((last_ms, _)) = self.counts.last_key_value() else { return (0, 0) };
        let begins = self.counts.keys().filter(|from_ms| **from_ms + WINDOW_MS <= *last_ms);
        let windows = begins.map(|from_ms| {
            let window = self.counts.range(from_ms..&(from_ms + WINDOW_MS)).map(|(_, counts)| counts);
            window.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
        });
        windows.max_by_key(|(received, sent)| sent * 1_000 / (received + 1)).unwrap_or_default()
    }

    /// Whether the presence that went up last is of the session that means harm, and not of the other.
    pub(crate) fn is_shown_mallory(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.has("status", "jabber:client"))
    }

    /// How many presences went up at most in one second, to the rooms of that name.
    pub(crate) fn most_told_a_second(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let times: Vec<u64> =
            self.told.iter().filter(|(_, room)| is_meant(room)).map(|(at_ms, _)| *at_ms).collect();
        let within =
            |from_ms: &u64| times.iter().filter(|at_ms| (*from_ms..from_ms + 1_000).contains(at_ms)).count();
        times.iter().map(within).max().unwrap_or_default()
    }
}
