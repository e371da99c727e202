//! Plays a story: carries stanzas between sessions, core and room as the wrapper and the network would.

use std::collections::{BTreeMap, VecDeque};

use minimix_core::bouncer::Bouncer;
use minimix_core::config::{Config, limit};
use minimix_core::event::{Action, Event, Now, SessionId, Verdict};
use minimix_core::xmpp::muc::{MucUser, asks_to_join, status};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

use crate::assertions;
use crate::belief::Known;
use crate::client::Client;
use crate::reference::Room;
use crate::stanzas::{ACCOUNT, ROOM, is_answer, jid, number};
use crate::transition::{SESSIONS, Story};

/// 2026-01-01T00:00:00Z, when every story begins.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// Everything that takes part in a story.
#[derive(Debug)]
pub(crate) struct World {
    config: Config,
    pub(crate) bouncer: Bouncer,
    pub(crate) now_ms: u64,
    wake_at: Option<u64>,
    reloads: u64,
    is_local: bool,
    pub(crate) room: Room,
    pub(crate) clients: Vec<Client>,
    last_session: u32,
    ids: u32,
    /// What the wrapper holds back until no hook runs.
    queued: Vec<Stanza>,
    /// On its way to the room, and back.
    pub(crate) up: VecDeque<Stanza>,
    pub(crate) down: VecDeque<Stanza>,
    pub(crate) known: Known,
    /// The service that the host has asked, and the id of the question.
    asked: Option<(String, Box<str>)>,
    /// The room has lost the account without a word.
    pub(crate) forgotten: bool,
    /// The presence of ours that the room has not answered, and when it was sent.
    pub(crate) unanswered: Option<(String, u64)>,
    /// What the account's last presence showed.
    pub(crate) shown: Option<String>,
    /// How many leaves, and presences that nobody waits for any more, the room may still answer: what it says
    /// meanwhile can belong to any of them.
    pub(crate) late: usize,
    /// When nothing was under way.
    arrived_ms: u64,
    /// When something last came from the room.
    pub(crate) heard_ms: u64,
    /// Questions of occupants, and how often they were answered.
    pub(crate) questions: BTreeMap<String, usize>,
    pub(crate) is_told: bool,
}

impl World {
    pub(crate) fn new(story: &Story, is_told: bool) -> Self {
        let config = Config { history: story.history, ..Config::default() };
        Self {
            bouncer: Bouncer::new(config.clone(), 1),
            config,
            now_ms: 0,
            wake_at: None,
            reloads: 0,
            is_local: story.is_local,
            room: Room::with_crowd(story.crowd),
            clients: (0..SESSIONS).map(|_| Client::new(SessionId(0), String::new())).collect(),
            last_session: 0,
            ids: 0,
            queued: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            known: Known::default(),
            asked: None,
            forgotten: false,
            unanswered: None,
            shown: None,
            late: 0,
            arrived_ms: 0,
            heard_ms: 0,
            questions: BTreeMap::new(),
            is_told,
        }
    }

    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{:>9} {}", self.now_ms, line());
        }
    }

    pub(crate) fn fresh_id(&mut self) -> String {
        self.ids += 1;
        format!("c{}", self.ids)
    }

    pub(crate) fn utc(&self) -> String {
        let seconds = (BEGIN_MS + i64::try_from(self.now_ms).expect("a short story")).div_euclid(1_000);
        jiff::Timestamp::from_second(seconds).expect("a time").to_string()
    }

    fn now(&self) -> Now {
        Now {
            monotonic_ms: self.now_ms,
            utc_ms: BEGIN_MS + i64::try_from(self.now_ms).expect("a short story"),
        }
    }

    /// The session, connected anew if it had ended.
    pub(crate) fn connected(&mut self, who: usize) -> &mut Client {
        if !self.clients[who].is_connected || self.clients[who].id == SessionId(0) {
            self.last_session += 1;
            self.clients[who] = Client::new(SessionId(self.last_session), format!("{ACCOUNT}/d{who}"));
        }
        &mut self.clients[who]
    }

    /// A session sends a stanza.
    pub(crate) fn send(&mut self, who: usize, stanza: Stanza) -> Verdict {
        let client = self.connected(who);
        let (session, from) = (client.id, jid(&client.jid));
        if stanza.kind == Kind::Presence(PresenceType::Available)
            && let Some(id) = &stanza.id
        {
            client.last_presence = Some((id.to_string(), stanza.text_of("show")));
        }
        let stanza = stanza.from(from);
        self.tell(|| format!("D{who} ({}): {}", session.0, stanza.to_xml()));
        if !asks_to_join(&stanza) && !self.bouncer.concerns(ACCOUNT, ROOM) {
            return Verdict::Pass("does not concern the core");
        }
        let verdict =
            self.happen(Event::ClientStanza { session, stanza: stanza.clone() }, Some((&stanza, Some(who))));
        self.settle_queue();
        if matches!(verdict, Verdict::Pass(_)) {
            assertions::passed(&stanza);
        }
        verdict
    }

    /// Something that is no stanza happens to a session.
    pub(crate) fn session_event(&mut self, event: Event) {
        self.tell(|| format!("{event:?}"));
        self.happen(event, None);
        self.settle_queue();
    }

    fn happen(&mut self, event: Event, in_hand: Option<(&Stanza, Option<usize>)>) -> Verdict {
        let outcome = self.bouncer.handle(self.now(), event);
        self.wake_at = outcome.wake_at;
        for action in outcome.actions {
            self.perform(action, in_hand);
        }
        outcome.verdict
    }

    fn perform(&mut self, action: Action, in_hand: Option<(&Stanza, Option<usize>)>) {
        let stanza_in_hand = || in_hand.expect("a stanza in hand").0.clone();
        match action {
            Action::Relay { sessions } => {
                for (session, id) in sessions {
                    self.deliver(session, &id.put_on(stanza_in_hand()));
                    assertions::asked(self, session, &stanza_in_hand());
                }
            }
            Action::Deliver { session, stanza } => self.deliver(session, &stanza),
            Action::Forward { id } => {
                self.drain_queue();
                self.go_up(id.put_on(stanza_in_hand()).from(jid(ACCOUNT)));
            }
            Action::Reply { error, by } => {
                let who = in_hand.and_then(|(_, who)| who).expect("a session to reply to");
                let session = self.clients[who].id;
                self.deliver(session, &error.reply_to(&stanza_in_hand(), by.as_str()));
            }
            Action::Send { stanza } => {
                assertions::sent(&stanza);
                self.note_sent(&stanza);
                self.queued.push(Stanza::clone(&stanza));
            }
            Action::Drop { .. } => {
                self.queued.clear();
                self.note_lost(); // the core says so wherever an occupancy ends against its will
            }
            Action::Mirror { sessions, .. } => {
                for session in sessions {
                    let client = self.clients.iter().find(|client| client.id == session);
                    assert!(client.is_some_and(Client::is_in), "a carbon outside the room (P5)");
                }
            }
            Action::StoreOffline { stanza } => {
                let stanza = stanza.map_or_else(stanza_in_hand, |stanza| Stanza::clone(&stanza));
                assert!(stanza.kind == Kind::Message(MessageType::Chat) && stanza.has("body", NS_CLIENT));
                self.known.meanwhile.retain(|kept| Some(*kept) != number(&stanza));
            }
            Action::AskService { domain, id } => self.asked = Some((domain, id)),
            Action::Store { .. } => {}
            Action::Notify { .. } => panic!("nobody has a push service"),
            Action::Log { .. } | Action::ReadLog { .. } => panic!("no room is logged"),
            Action::SendAs { .. } => panic!("no session is direct"),
        }
    }

    fn deliver(&mut self, session: SessionId, stanza: &Stanza) {
        self.tell(|| format!("  {} < {}", session.0, stanza.to_xml()));
        let client = self.clients.iter_mut().find(|client| client.id == session && client.is_connected);
        let Some(client) = client else {
            // an answer crossed with the end, or a delivery failed because of it
            let tells_failure = MucUser::read(stanza).has(status::TECHNICAL);
            assert!(is_answer(stanza) || tells_failure, "a stanza for nobody");
            return;
        };
        client.receive(stanza, &self.known);
    }

    fn drain_queue(&mut self) {
        for stanza in std::mem::take(&mut self.queued) {
            self.go_up(stanza);
        }
    }

    fn go_up(&mut self, stanza: Stanza) {
        assertions::sent(&stanza);
        if let (Kind::Iq(IqType::Result | IqType::Error), Some(id)) = (stanza.kind, stanza.id.as_deref()) {
            *self.questions.entry(id.to_owned()).or_default() += 1;
        }
        self.up.push_back(stanza);
    }

    /// No hook runs: what waited goes out; a local room answers now.
    fn settle_queue(&mut self) {
        self.drain_queue();
        self.rest_if_local();
    }

    pub(crate) fn rest_if_local(&mut self) {
        if self.is_local {
            self.all_arrives();
        }
    }

    pub(crate) fn all_arrives(&mut self) {
        self.collect();
        if let Some((domain, id)) = self.asked.take() {
            self.session_event(Event::ServiceAnswered { domain, id: id.into(), error: None });
        }
        while !self.up.is_empty() || !self.down.is_empty() {
            self.account_hears();
            if self.down.is_empty() {
                self.room_hears();
            }
        }
    }

    /// The next stanza of the account reaches the room.
    pub(crate) fn room_hears(&mut self) {
        let Some(stanza) = self.up.pop_front() else { return };
        self.tell(|| format!("    (room hears {})", stanza.to_xml()));
        let utc = self.utc();
        self.room.hear(&stanza, &utc);
        self.collect();
    }

    /// What the room has said is on its way.
    pub(crate) fn collect(&mut self) {
        for stanza in self.room.take_said() {
            if let (Kind::Iq(IqType::Get), Some(id)) = (stanza.kind, stanza.id.as_deref()) {
                self.questions.insert(id.to_owned(), 0);
            }
            self.down.push_back(stanza);
        }
    }

    /// The room breaks down, and what it has said gets lost.
    pub(crate) fn lose_answers(&mut self) {
        for stanza in self.down.drain(..) {
            stanza.id.as_deref().and_then(|id| self.questions.remove(id));
            if matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error)) {
                self.clients.iter_mut().for_each(Client::forgive_queries);
            }
        }
    }

    /// The stream between the servers is lost, and nothing with it.
    pub(crate) fn lose_stream(&mut self) {
        self.known.is_lossy = true;
        self.session_event(Event::ServiceLost {
            domain: "rooms.example".to_owned(),
            in_peace: false,
            is_incoming: true,
        });
    }

    /// The next stanza of the room reaches the account.
    pub(crate) fn account_hears(&mut self) {
        let Some(stanza) = self.down.pop_front() else { return };
        let stanza = stanza.to(jid(ACCOUNT));
        self.tell(|| format!("room: {}", stanza.to_xml()));
        if !self.bouncer.concerns(ACCOUNT, ROOM) {
            return self.note_passed(&stanza);
        }
        self.note_heard(&stanza);
        let verdict = self.happen(Event::RoomStanza { stanza: stanza.clone() }, Some((&stanza, None)));
        if matches!(verdict, Verdict::Pass(_)) {
            self.note_passed(&stanza);
        }
        self.drain_queue();
    }

    /// Time passes; the core is woken whenever it asked for it.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        let until_ms = self.now_ms + milliseconds;
        if self.up.is_empty() && self.down.is_empty() {
            self.arrived_ms = self.now_ms;
        }
        if until_ms - self.arrived_ms >= limit::SWALLOW_MS {
            self.all_arrives(); // nothing is under way for so long
        }
        let mut idle = 0;
        while let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until_ms) {
            idle = if wake_at > self.now_ms { 0 } else { idle + 1 };
            assert!(idle < 200, "the core never sleeps");
            self.now_ms = self.now_ms.max(wake_at);
            self.tell(|| "wake".to_owned());
            if self.is_silent() {
                self.all_arrives(); // else the core has to guess what was answered
            }
            self.happen(Event::DeadlineReached, None);
            self.settle_queue();
        }
        self.now_ms = until_ms;
    }

    pub(crate) fn reload(&mut self) {
        self.restore();
        self.happen(Event::DeadlineReached, None);
        self.settle_queue();
    }

    fn restore(&mut self) {
        self.reloads += 1;
        self.tell(|| "reload".to_owned());
        let snapshot = self.snapshot();
        self.bouncer = Bouncer::restore(self.config.clone(), 1 + self.reloads, &snapshot).expect("a core");
        assert_eq!(self.snapshot(), snapshot, "a reload changes the state");
    }

    fn snapshot(&self) -> String {
        self.bouncer.snapshot().expect("a snapshot")
    }

    fn is_before_its_time(&self) -> bool {
        self.wake_at.is_none_or(|wake_at| wake_at > self.now_ms)
    }

    /// An extra wake changes nothing, and asks for no earlier one.
    pub(crate) fn wake_early(&mut self) {
        if !self.is_before_its_time() {
            return;
        }
        self.tell(|| "wake, too early".to_owned());
        let (before, wake_at) = (self.snapshot(), self.wake_at);
        let outcome = self.bouncer.handle(self.now(), Event::DeadlineReached);
        assert_eq!(outcome.actions, [], "an extra wake does something");
        assert_eq!(self.snapshot(), before, "an extra wake changes something");
        assert!(is_no_earlier(outcome.wake_at, wake_at), "an extra wake asks for an earlier one");
        self.wake_at = outcome.wake_at;
    }

    /// A reload before its time changes nothing, and the restored core is woken no later than this one would be.
    pub(crate) fn reload_at_rest(&mut self) {
        if !self.is_before_its_time() {
            return;
        }
        self.restore();
        let outcome = self.bouncer.handle(self.now(), Event::DeadlineReached);
        assert_eq!(outcome.actions, [], "a reload after an early wake does something");
        assert!(is_no_earlier(outcome.wake_at, self.wake_at), "a reload changes a deadline");
        self.wake_at = outcome.wake_at;
    }
}

/// Whether a wake is no earlier than another; none at all comes last.
fn is_no_earlier(wake: Option<u64>, other: Option<u64>) -> bool {
    wake.unwrap_or(u64::MAX) >= other.unwrap_or(u64::MAX)
}
