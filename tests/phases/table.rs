//! A phase as it is written: how it is reached, who sends, and what comes of each stanza.

use std::cell::RefCell;
use std::collections::BTreeSet;

use minimix_core::xmpp::muc::{MucUser, sets_subject, status};
use minimix_core::xmpp::stanza::{Kind, MessageType, PresenceType, Stanza};

use crate::kinds::{IN_PAIRS, OF_ROOMS, OF_SESSIONS};
use crate::scene::with_short_ids;
use crate::shorthand::Way;
use crate::stage::{Stage, Trace};
use crate::{assertions, story};

/// A phase.
pub(crate) struct Phase {
    /// The lines down to the first empty one, as they are written.
    head: String,
    setup: Vec<String>,
    /// The sessions that send, by their numbers.
    senders: Vec<u32>,
    /// What does not hold.
    faults: RefCell<BTreeSet<String>>,
}

impl Phase {
    pub(crate) fn read(written: &str) -> Self {
        let head: Vec<&str> = written.lines().take_while(|line| !line.is_empty()).collect();
        let senders = head.iter().find_map(|line| line.strip_prefix("senders ")).expect("senders D1 …");
        let senders = senders.split(' ').map(|who| who[1..].parse().expect("D1, D2, …")).collect();
        let is_setup = |line: &&&str| !line.starts_with('#') && !line.starts_with("senders ");
        let setup = head.iter().filter(is_setup).map(|line| (**line).to_owned()).collect();
        Self { head: head.join("\n") + "\n", setup, senders, faults: RefCell::default() }
    }

    /// Plays all cells, and tells what comes of them, a line each.
    pub(crate) fn tell(&self) -> String {
        let mut told = self.head.clone() + "\n";
        for (name, what) in OF_SESSIONS {
            for (position, (who, what_comes)) in self.alike(what).into_iter().enumerate() {
                let name = if position == 0 { name } else { "" };
                told.push_str(&line(&format!("{name:32} {who:9} {what_comes}")));
            }
        }
        told.push('\n');
        for (name, what) in OF_ROOMS {
            let what_comes = self.cell(&format!("room> {what}"), None);
            told.push_str(&line(&format!("{name:44} {what_comes}")));
        }
        told
    }

    /// Plays pairs of stanzas of the first sender, one right after the other.
    pub(crate) fn play_pairs(&self) {
        let Some(sender) = self.senders.first() else { return };
        for (one, other) in IN_PAIRS.iter().flat_map(|one| IN_PAIRS.map(|other| (one, other))) {
            let other = other.replace(" x", " w");
            let events = [format!("D{sender}> {one}"), format!("D{sender}> {other}")];
            for end in [Stage::goes_on, Stage::falls_silent] {
                let mut stage = Stage::set(&self.setup);
                for event in &events {
                    stage.say(event);
                }
                end(&mut stage);
                self.note_faults(&events.join(", "), &stage);
            }
        }
    }

    fn note_faults(&self, events: &str, stage: &Stage) {
        let faults = assertions::faults(&stage.traces).into_iter();
        self.faults.borrow_mut().extend(faults.map(|fault| format!("{events}: {fault}")));
    }

    /// What did not hold in what has been told.
    pub(crate) fn faults(self) -> BTreeSet<String> {
        self.faults.into_inner()
    }

    /// What comes of a session's stanza, with the sessions of which the same comes.
    fn alike(&self, what: &str) -> Vec<(String, String)> {
        let mut cells: Vec<(String, String)> = Vec::new();
        for sender in &self.senders {
            let what_comes = self.cell(&format!("D{sender}> {what}"), Some(*sender));
            match cells.iter_mut().find(|(_, known)| *known == what_comes) {
                Some((who, _)) => who.extend([" D".to_owned(), sender.to_string()]),
                None => cells.push((format!("D{sender}"), what_comes)),
            }
        }
        cells
    }

    /// Plays one cell, to both ends: the room answers, or it falls silent.
    fn cell(&self, event: &str, sender: Option<u32>) -> String {
        let Play { at_once, later } = self.play(event, sender, Stage::goes_on, false);
        let reloaded = self.play(event, sender, Stage::goes_on, true);
        let silent = self.play(event, sender, Stage::falls_silent, false);
        assert!(reloaded.at_once == at_once && reloaded.later == later, "a reload after {event} changes it");
        let part = |name: &str, lines: &[String]| {
            (!lines.is_empty()).then(|| format!("{name}{}", lines.join(" · ")))
        };
        let parts = [part("", &at_once), part("answered: ", &later), part("silent: ", &silent.later)];
        let told = parts.into_iter().flatten().collect::<Vec<_>>().join(" | ");
        if told.is_empty() { "nothing".to_owned() } else { told }
    }

    fn play(&self, event: &str, sender: Option<u32>, end: fn(&mut Stage), reload: bool) -> Play {
        let mut stage = Stage::set(&self.setup);
        let before = stage.traces.len();
        stage.say(event);
        let at_once = stage.traces.len();
        if reload {
            stage.reload();
        }
        end(&mut stage);
        self.note_faults(event, &stage);
        let mut teller = Teller { sender, ids: Vec::new() };
        teller.learn(&stage.traces[..before]);
        let told = teller.tell(&stage.traces[before..at_once]);
        let later = if sender.is_some() { teller.marked(&stage.traces[at_once..]) } else { Vec::new() };
        Play { at_once: told, later }
    }
}

/// What comes of a stanza.
struct Play {
    at_once: Vec<String>,
    later: Vec<String>,
}

/// Of a crowd only the last is told.
fn without_crowd(lines: &[String]) -> Vec<String> {
    let is_of_crowd = |line: &String| line.contains(" < occupant person");
    let ends = |position: usize| lines.get(position + 1).is_none_or(|next| !is_of_crowd(next));
    let told = lines.iter().enumerate().filter(|(position, line)| !is_of_crowd(line) || ends(*position));
    told.map(|(_, line)| line.clone()).collect()
}

/// Who gets the same is told together.
fn together(lines: Vec<String>) -> Vec<String> {
    let mut told: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (who, what) = line.split_once(" < ").unwrap_or(("", &line));
        match told.iter_mut().find(|(known, same)| same == what && !who.is_empty() && !known.is_empty()) {
            Some((known, _)) => known.extend([", ", who]),
            None => told.push((who.to_owned(), what.to_owned())),
        }
    }
    let line = |(who, what): (String, String)| if who.is_empty() { what } else { format!("{who} < {what}") };
    told.into_iter().map(line).collect()
}

/// A line of the table, with its end of line; what is too long goes on in the next.
fn line(line: &str) -> String {
    let indented = story::answer(line.trim_end());
    indented.strip_prefix("  ").unwrap_or(&indented).to_owned()
}

/// What the table says instead of what is always said alike.
const SHORT: [(&str, &str); 7] = [
    (" by lounge@rooms.example", ""),
    (": You are not in the room", ""),
    (": The room did not answer", ""),
    (" <x xmlns='muc'/>", ""),
    (" |<status>x</status>", ""),
    (" <status>x</status>", ""),
    ("{none/none <reason>You are not in the room</reason> 110,333,307}", "{333}"),
];

/// Tells what happened in few words. `D` is the session that sent the stanza.
struct Teller {
    sender: Option<u32>,
    ids: Vec<String>,
}

impl Teller {
    /// Names the ids that the core has made before.
    fn learn(&mut self, traces: &[Trace]) {
        for trace in traces {
            if let Trace::Sent(stanza) | Trace::Forwarded(stanza) = trace {
                self.named(stanza.id.as_deref().unwrap_or_default().to_owned());
            }
        }
    }

    fn tell(&mut self, traces: &[Trace]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut shown = 0;
        for (position, trace) in traces.iter().enumerate() {
            if position < shown {
                continue;
            }
            if let Some((length, line)) = self.whole_room(&traces[position..]) {
                shown = position + length;
                lines.push(line);
                continue;
            }
            lines.extend(self.line(trace));
        }
        together(without_crowd(&lines))
    }

    /// What shows a session the whole room is told in one line.
    fn whole_room(&mut self, traces: &[Trace]) -> Option<(usize, String)> {
        let Some(Trace::Got(session, first)) = traces.first() else { return None };
        let mine = |trace: &Trace| match trace {
            Trace::Got(receiver, stanza) if receiver == session => Some(stanza.clone()),
            _ => None,
        };
        let got: Vec<_> = traces.iter().map_while(mine).collect();
        if !matches!(first.kind, Kind::Presence(PresenceType::Available)) {
            return None;
        }
        let own = got.iter().position(|stanza| MucUser::read(stanza).has(status::SELF))?;
        let is_shown = |stanza: &Stanza| stanza.kind == Kind::Presence(PresenceType::Available);
        let rest = got.get(own + 1..)?;
        let history = rest.iter().take_while(|stanza| {
            stanza.kind == Kind::Message(MessageType::Groupchat) && !sets_subject(stanza)
        });
        let history = history.count();
        let ends = rest.get(history).is_some_and(|stanza| {
            stanza.kind == Kind::Message(MessageType::Groupchat) && sets_subject(stanza)
        });
        if !ends || !got[..own].iter().all(is_shown) {
            return None;
        }
        let told = self.got(*session, &got[own]).replacen(" < ", " < the room, ", 1);
        Some((own + history + 2, told))
    }

    fn line(&mut self, trace: &Trace) -> Option<String> {
        let line = match trace {
            Trace::Forwarded(stanza) => match stanza.id.as_deref() {
                Some("x") => "up".to_owned(),
                Some(id) => format!("up as {}", self.named(id.to_owned())),
                None => "up without id".to_owned(),
            },
            Trace::Sent(stanza) => {
                let way = stanza.from.as_ref().and_then(crate::room::number);
                way.map_or(Way::FromAccount, Way::FromSession).answer(stanza)
            }
            Trace::Got(session, stanza) => return Some(self.got(*session, stanza)),
            Trace::Relayed(sessions, _) => format!("relay to {}", self.all(sessions)),
            Trace::Mirrored(sessions) => format!("carbon to {}", self.all(sessions)),
            Trace::Stored => "stored".to_owned(),
            Trace::Passed(_) => "pass".to_owned(),
            Trace::Said(..) | Trace::Heard(_) | Trace::Ended(_) => return None,
        };
        Some(self.named(line))
    }

    fn got(&mut self, session: u32, stanza: &Stanza) -> String {
        let mut stanza = stanza.clone();
        stanza.to = None;
        let told = Way::ToSession(session).answer(&stanza);
        let told = told.replacen(&format!("D{session} "), &format!("{} ", self.who(session)), 1);
        self.named(told)
    }

    fn who(&self, session: u32) -> String {
        if self.sender == Some(session) { "D".to_owned() } else { format!("D{session}") }
    }

    fn all(&self, sessions: &[u32]) -> String {
        sessions.iter().map(|session| self.who(*session)).collect::<Vec<_>>().join(", ")
    }

    /// What comes later of a stanza with the id or the text `x`.
    fn marked(&mut self, traces: &[Trace]) -> Vec<String> {
        let is_marked =
            |stanza: &Stanza| stanza.id.as_deref() == Some("x") || stanza.to_xml().contains(">x<");
        let mut told: Vec<String> = Vec::new();
        for trace in traces {
            let line = match trace {
                Trace::Sent(stanza) | Trace::Forwarded(stanza) if is_marked(stanza) => self.line(trace),
                Trace::Got(_, stanza) | Trace::Relayed(_, stanza) if is_marked(stanza) => self.line(trace),
                Trace::Sent(stanza) | Trace::Forwarded(stanza) => {
                    self.named(stanza.id.as_deref().unwrap_or_default().to_owned());
                    None
                }
                _ => None,
            };
            told.extend(line.filter(|line| told.last() != Some(line)));
        }
        told
    }

    /// With short names for ids, and without what each error of ours says.
    fn named(&mut self, line: String) -> String {
        let mut line = with_short_ids(&mut self.ids, line);
        for (long, short) in SHORT {
            line = line.replace(long, short);
        }
        line
    }
}
