//! Plays the events of a story to a core, and writes down what it answers.

use minimix_core::bouncer::Bouncer;
use minimix_core::config::{Archive, Config};
use minimix_core::event::{Action, Event, Now, Outcome, SessionId, Verdict};
use minimix_core::xmpp::jid::{BareJid, FullJid, Jid};

use crate::bookmarks::of_bookmarks;
use crate::log::of_log;
use crate::push::{of_push, ruling};
use crate::service::{of_connection, of_service};
use crate::shorthand::{ACCOUNT, ROOM, Way};
use crate::stores::of_records;
use crate::tell::tell_action;

/// 2026-01-01T00:00:00Z, when every story begins.
pub(crate) const BEGIN_MS: i64 = 1_767_225_600_000;
/// Where the monotonic clock is then; what happened before has a time as well.
const START_MS: u64 = 1 << 40;
const SEED: u64 = 7;

/// A core, and the time of its story.
pub(crate) struct Scene {
    config: Config,
    bouncer: Bouncer,
    elapsed_ms: u64,
    wake_at: Option<u64>,
    reloads: u64,
    /// The ids that the core has made, in the order in which the story calls them `#1`, `#2`, …
    ids: Vec<String>,
    /// Whether the story is about what is stored.
    tells_stores: bool,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let config = Config { check_ms: None, ..Config::default() }; // a story about it says so
        let bouncer = Bouncer::new(config.clone(), SEED);
        Self {
            config,
            bouncer,
            elapsed_ms: 0,
            wake_at: None,
            reloads: 0,
            ids: Vec::new(),
            tells_stores: false,
        }
    }

    /// The module is reloaded.
    pub(crate) fn reload(&mut self) {
        self.reloads += 1;
        let snapshot = self.bouncer.snapshot().expect("a snapshot");
        self.bouncer =
            Bouncer::restore(self.config.clone(), SEED + self.reloads, &snapshot).expect("a restored core");
    }

    /// Plays one event; the answers, a line each.
    pub(crate) fn play(&mut self, line: &str) -> Vec<String> {
        let line = self.with_real_ids(line);
        if let Some(options) = line.strip_prefix("config ") {
            self.configure(options);
            return Vec::new();
        }
        if let Some(time) = line.strip_prefix("wait ") {
            return self.wait(milliseconds(time));
        }
        if let Some(every) = line.strip_prefix("every ") {
            return self.go_on(every);
        }
        if line == "tell stores" {
            self.tells_stores = true;
            return Vec::new();
        }
        if line == "reload" {
            self.reload();
            return Vec::new();
        }
        if let Some(stanza) = line.strip_prefix("waits> ") {
            return vec![ruling(&self.bouncer, self.now(), stanza)];
        }
        if let Some(who) = line.strip_prefix("given ") {
            return self.begin(who);
        }
        if let Some((times, event)) = line.split_once(" times ")
            && let Ok(times) = times.parse()
        {
            return self.repeat(times, event);
        }
        if let Some((count, event)) = line.split_once(" rooms ")
            && let Ok(count) = count.parse()
        {
            return self.in_rooms(count, event);
        }
        let (who, what) = line.split_once("> ").unwrap_or_else(|| panic!("no event: {line}"));
        match what.strip_prefix("occupants ") {
            Some(count) => self.crowd_comes(count.parse().expect("a number")),
            None => self.happen(event(who, what)),
        }
    }

    /// So many occupants, person001 and on, are shown by the room; told once if each is answered alike.
    fn crowd_comes(&mut self, count: usize) -> Vec<String> {
        let person = |number| event("room", &format!("occupant person{number:03}"));
        let mut told: Vec<_> = (1..=count).flat_map(|number| self.happen(person(number))).collect();
        told.dedup();
        told
    }

    /// `given D1 D2 with bob carol`: these sessions are in, as alice, and so are these occupants. How they came
    /// in is a story of its own.
    fn begin(&mut self, who: &str) -> Vec<String> {
        let (sessions, others) = who.split_once(" with ").unwrap_or((who, ""));
        for session in sessions.split(' ') {
            self.play(&format!("{session}> join alice j"));
        }
        for occupant in others.split(' ').filter(|nick| !nick.is_empty()) {
            self.play(&format!("room> occupant {occupant}"));
        }
        self.play("room> self alice #1 110");
        self.play("room> subject - Tea");
        Vec::new()
    }

    /// `9 times D1> …`: only what the last one is answered with is told.
    fn repeat(&mut self, times: usize, event: &str) -> Vec<String> {
        (0..times).map(|_| self.play(event)).last().unwrap_or_default()
    }

    /// `22 rooms D1> join %/alice a1`: the same in so many rooms; only what is answered in the last one is told.
    fn in_rooms(&mut self, count: usize, event: &str) -> Vec<String> {
        let address = |number| format!("r{number:02}@rooms.example");
        (1..=count).map(|number| self.play(&event.replace('%', &address(number)))).last().unwrap_or_default()
    }

    /// `every 1s for 9m room> …`: what is answered to the first and, if that differs, to the later ones.
    fn go_on(&mut self, what: &str) -> Vec<String> {
        let (period, rest) = what.split_once(" for ").expect("every … for …");
        let (span, event) = rest.split_once(' ').expect("an event");
        let (period, mut left) = (milliseconds(period), milliseconds(span));
        let mut told = Vec::new();
        while left > 0 {
            told.extend(self.play(event));
            told.extend(self.wait(period));
            left -= period;
        }
        told.dedup();
        told
    }

    fn configure(&mut self, options: &str) {
        for option in options.split(' ') {
            let (name, value) = option.split_once('=').expect("name=value");
            match name {
                "history" => self.config.history = value.parse().expect("a number"),
                "history_max" => self.config.history_max = value.parse().expect("a number"),
                "history_default" => self.config.history_default = value.parse().expect("a number"),
                "trust" => self.config.trust_ms = milliseconds(value),
                "linger" => {
                    self.config.linger_ms = (value != "never").then(|| milliseconds(value));
                    self.config.linger_affiliated_ms = self.config.linger_ms;
                }
                "away_delay" => self.config.away_delay_ms = milliseconds(value),
                "check" => self.config.check_ms = (value != "never").then(|| milliseconds(value)),
                "passwords" => self.config.store_passwords = value == "stored",
                "dormant" => self.config.dormant_ms = (value != "never").then(|| milliseconds(value)),
                "autojoin" => self.config.autojoin = value == "yes",
                "rooms" => self.config.rooms_per_account = value.parse().expect("a number"),
                "archive" => self.config.archive = Archive::named(value).expect("an archive"),
                "exclude" => self.config.exclude.push(value.to_owned()),
                _ => panic!("no option: {name}"),
            }
        }
        self.bouncer = Bouncer::new(self.config.clone(), SEED);
    }

    /// Lets time pass, and wakes the core whenever it asked for it.
    fn wait(&mut self, milliseconds: u64) -> Vec<String> {
        let until_ms = self.elapsed_ms + milliseconds;
        let mut told = Vec::new();
        for _ in 0..10_000 {
            let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until_ms) else {
                self.elapsed_ms = until_ms;
                return told;
            };
            self.elapsed_ms = self.elapsed_ms.max(wake_at);
            let answers = self.happen(Event::DeadlineReached);
            if answers != ["nothing"] {
                told.push(format!("at {} ms", self.elapsed_ms));
                told.extend(answers);
            }
        }
        panic!("the core never sleeps");
    }

    fn now(&self) -> Now {
        Now {
            monotonic_ms: START_MS + self.elapsed_ms,
            utc_ms: BEGIN_MS + i64::try_from(self.elapsed_ms).expect("a short story"),
        }
    }

    fn happen(&mut self, event: Event) -> Vec<String> {
        let outcome = self.bouncer.handle(self.now(), event);
        self.wake_at = outcome.wake_at.map(|wake_at| wake_at.saturating_sub(START_MS));
        self.tell(&outcome)
    }

    fn tell(&mut self, outcome: &Outcome) -> Vec<String> {
        let is_told = |action: &&Action| self.tells_stores || !matches!(action, Action::Store { .. });
        let mut told = without_crowds(outcome.actions.iter().filter(is_told).map(tell_action));
        if let Verdict::Pass(reason) = outcome.verdict {
            told.push(format!("pass: {reason}"));
        }
        if told.is_empty() {
            told.push("nothing".to_owned());
        }
        told.into_iter().map(|line| self.with_story_ids(line)).collect()
    }

    fn with_real_ids(&self, line: &str) -> String {
        let mut line = line.to_owned();
        if !line.contains('#') {
            return line;
        }
        for (position, id) in self.ids.iter().enumerate().rev() {
            line = line.replace(&format!("#{}", position + 1), id);
        }
        line
    }

    fn with_story_ids(&mut self, line: String) -> String {
        with_short_ids(&mut self.ids, line)
    }
}

/// The occupants of a crowd that are shown one after the other are told in one line.
fn without_crowds(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut count = 0;
    for line in lines {
        let Some((session, _)) = line.split_once("< occupant person") else {
            count = 0;
            told.push(line);
            continue;
        };
        count += 1;
        if count > 1 {
            told.pop();
        }
        told.push(format!("{session}< {count} of the crowd"));
    }
    told
}

/// The line with `#1` and so on for ids that the core has made, in the order in which they were first told.
pub(crate) fn with_short_ids(ids: &mut Vec<String>, mut line: String) -> String {
    while let Some(id) = made_id(&line) {
        let known = ids.iter().position(|known| *known == id);
        let position = known.unwrap_or_else(|| {
            ids.push(id.clone());
            ids.len() - 1
        });
        line = line.replace(&id, &format!("#{}", position + 1));
    }
    line
}

/// An id as only the core makes it: sixteen letters and digits of base 32.
fn made_id(line: &str) -> Option<String> {
    let is_made = |word: &&str| {
        word.len() == 16
            && word.chars().all(|letter| letter.is_ascii_lowercase() || ('2'..='7').contains(&letter))
    };
    line.split(|letter: char| !letter.is_ascii_alphanumeric()).find(is_made).map(ToOwned::to_owned)
}

pub(crate) fn milliseconds(time: &str) -> u64 {
    let digits = time.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().expect("a time");
    number
        * match &time[digits.len()..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            unit => panic!("no unit: {unit}"),
        }
}

pub(crate) fn event(who: &str, what: &str) -> Event {
    if who == "account" {
        return of_account(what);
    }
    if who == "log" {
        return of_log(what);
    }
    if who == "service" {
        return of_service(what);
    }
    match Way::of_event(who).unwrap_or_else(|| panic!("nobody says anything: {who}")) {
        way @ Way::ToSession(_) => Event::RoomStanza { stanza: way.read(what).to(Jid::new(&way.ours())) },
        Way::ToAccount | Way::FromAccount => of_room(what),
        Way::FromSession(number) => of_session(number, what),
    }
}

fn of_account(what: &str) -> Event {
    let account = BareJid::new(ACCOUNT);
    if let Some(loaded) = what.strip_prefix("loaded ") {
        return of_records(account, loaded);
    }
    if let Some(event) = of_bookmarks(&account, what).or_else(|| of_push(&account, what)) {
        return event;
    }
    if what == "is deleted" {
        return Event::AccountGone { account };
    }
    if let Some(hash) = what.strip_prefix("shows avatar ") {
        return Event::AvatarPublished { account, hash: hash.to_owned() };
    }
    let blocked = what.strip_prefix("blocks").expect("account> blocks …").split_whitespace();
    Event::BlockListChanged { account, blocked: blocked.map(Jid::new).collect() }
}

fn of_room(what: &str) -> Event {
    match what {
        "abandoned" => Event::Abandoned { account: BareJid::new(ACCOUNT), room: BareJid::new(ROOM) },
        "shutdown" => Event::ServerStopping,
        "hand back" => Event::Unloading,
        "host gone" => Event::HostGone,
        _ if what.starts_with("host loaded ") => {
            Event::HostLoaded { text: what["host loaded ".len()..].to_owned() }
        }
        _ => of_connection(what).unwrap_or_else(|| Event::RoomStanza { stanza: Way::ToAccount.read(what) }),
    }
}

fn of_session(number: u32, what: &str) -> Event {
    let session = SessionId(number);
    let address = Jid::new(&Way::FromSession(number).ours());
    match what {
        "quits" => Event::SessionUnavailable { session },
        "ends" => Event::SessionGone { session },
        "sleeps" => Event::Hibernated { session },
        "wakes" => Event::Resumed { session },
        "fails" => Event::DeliveryFailed {
            session: Some(session),
            to: address,
            from: Jid::new(&format!("{ROOM}/bob")),
            stanza: None,
        },
        _ if what.starts_with("loses ") => lost(session, address, &what["loses ".len()..]),
        "watches" | "watches no longer" => Event::WatchChanged {
            session,
            account: BareJid::new(ACCOUNT),
            service: BareJid::new("rooms.example"),
            watches: what == "watches",
        },
        "is in" => Event::AlreadyIn {
            session,
            jid: FullJid::new(&address).expect("a session's address"),
            occupant: Jid::new(&format!("{ROOM}/alice")),
        },
        _ => Event::ClientStanza { session, stanza: Way::FromSession(number).read(what) },
    }
}

/// What the room had sent to a session is lost with it.
fn lost(session: SessionId, to: Jid, what: &str) -> Event {
    let stanza = Way::ToSession(session.0).read(what);
    let from = stanza.from.clone().expect("a sender");
    let stanza = Some(stanza.to(to.clone()));
    Event::DeliveryFailed { session: Some(session), to, from, stanza }
}
