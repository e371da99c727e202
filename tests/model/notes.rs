//! Takes note of what passes between the account and the room: what the core has been told, and what it awaits.

use minimix_core::config::limit;
use minimix_core::xmpp::muc::{Departure, MucUser, sets_subject, status};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

use crate::archive::archived_number;
use crate::belief::Known;
use crate::client::{Client, Place};
use crate::stanzas::number;
use crate::world::World;

impl World {
    /// Takes in what the core has sent.
    pub(crate) fn note_sent(&mut self, stanza: &Stanza) {
        self.tell(|| format!("  room < {}", stanza.to_xml()));
        match stanza.kind {
            Kind::Presence(PresenceType::Unavailable) => {
                self.late += 1;
                self.stay_ended();
                self.unanswered = None;
            }
            Kind::Presence(PresenceType::Available) => {
                self.shown = stanza.text_of("show");
                if let Some((id, sent_ms)) = &self.unanswered
                    && self.late == 0
                {
                    assert!(self.now_ms - sent_ms >= 10_000, "two presences unanswered, the first is {id}");
                }
                let crosses = self.down.iter().any(says_renamed); // nobody can tell which of the two is answered
                self.late += usize::from(self.unanswered.is_some() || crosses);
                self.unanswered = stanza.id.as_deref().map(|id| (id.to_owned(), self.now_ms));
            }
            _ => {}
        }
    }

    /// The account is out against its will. A join that had been given up may be answered all the same.
    pub(crate) fn note_lost(&mut self) {
        let sent_ms = self.unanswered.take().map(|(_, sent_ms)| sent_ms);
        self.late += usize::from(sent_ms.is_some_and(|sent_ms| self.now_ms - sent_ms >= limit::JOIN_MS));
        if self.core_is_in() {
            self.forgotten = false; // it knows, and comes back (K3)
        } else {
            self.stay_ended();
        }
    }

    /// Whether the core will come back behind the backs of the sessions after such a removal.
    fn recovers_from(&self, occupant: &MucUser) -> bool {
        Departure::read(occupant).is_transient() && self.core_is_in()
    }

    /// Whether the core is in, with nobody who may only be quitting.
    fn core_is_in(&self) -> bool {
        let snapshot = self.bouncer.snapshot().expect("a snapshot");
        snapshot.contains("\"phase\":{\"In\"") && !snapshot.contains("\"LeaveWaits\"")
    }

    /// The core knows that the account is out: what it knew of the room is no more.
    fn stay_ended(&mut self) {
        for client in self.clients.iter_mut().filter(|client| matches!(client.place, Place::Joining(_))) {
            client.forgive_echoes(); // its join is answered, and shows the presence
        }
        self.forgotten = false;
        let mut waited = std::mem::take(&mut self.known.waited);
        waited.extend(self.known.waits_from.map_or(&[][..], |from| &self.known.live[from..]));
        self.known = Known { stay: self.known.stay + 1, waited, ..Known::default() };
    }

    fn note_private(&mut self, stanza: &Stanza) {
        for client in self.clients.iter_mut().filter(|client| client.place != Place::Out) {
            client.expected_private.extend(number(stanza));
        }
        if self.clients.iter().all(|client| client.place == Place::Out) {
            self.known.meanwhile.extend(number(stanza));
        }
    }

    /// Takes in what the core is about to hear.
    pub(crate) fn note_heard(&mut self, stanza: &Stanza) {
        self.heard_ms = self.now_ms;
        let occupant = MucUser::read(stanza);
        let nick = stanza.sender_nick().map(|nick| nick.to_string()).unwrap_or_default();
        let is_self = occupant.has(status::SELF) || nick == self.known.nick;
        let is_answer = self.unanswered.as_ref().is_some_and(|(id, _)| stanza.id.as_deref() == Some(id));
        if is_self && matches!(stanza.kind, Kind::Presence(PresenceType::Available)) {
            self.known.nick = nick;
        }
        match stanza.kind {
            Kind::Presence(PresenceType::Unavailable)
                if is_self && !occupant.has(status::NICK_CHANGE) && !self.recovers_from(&occupant) =>
            {
                self.stay_ended();
            }
            Kind::Presence(PresenceType::Available | PresenceType::Error) if is_answer => {
                self.unanswered = None;
                self.late = 0;
            }
            Kind::Message(MessageType::Groupchat) => self.note_groupchat(stanza),
            Kind::Message(MessageType::Chat) => self.note_private(stanza),
            Kind::Message(MessageType::Normal) => self.note_archived(stanza),
            _ => {}
        }
        for code in occupant.codes {
            match code {
                status::NON_ANONYMOUS | status::NOW_NON_ANONYMOUS => self.known.non_anonymous = true,
                status::NOW_SEMI_ANONYMOUS => self.known.non_anonymous = false,
                _ => {}
            }
        }
    }

    fn note_groupchat(&mut self, stanza: &Stanza) {
        let is_late = stanza.has("delay", "urn:xmpp:delay");
        if sets_subject(stanza) {
            self.known.subject = stanza.text_of("subject").unwrap_or_default();
        }
        let was_shown = self.known.is_shown || self.clients.iter().any(Client::is_in);
        // what comes before the account's join is answered was said in answer to an earlier one
        self.known.is_shown |=
            sets_subject(stanza) && !self.known.nick.is_empty() && self.unanswered.is_none();
        if self.known.is_shown && !was_shown {
            let first = self.down.iter().filter_map(number).min().unwrap_or(self.room.numbers + 1);
            self.known.first.get_or_insert(first); // what the room said before was not asked for
        }
        let Some(number) = number(stanza).filter(|_| !sets_subject(stanza)) else { return };
        let is_new = !self.known.historic.contains(&number) && !self.known.live.contains(&number);
        let is_old = was_shown && is_late && self.known.first.is_none_or(|first| number < first);
        if !is_old && self.known.first.is_none_or(|first| number < first) {
            self.known.first = Some(number);
        }
        if stanza.has("body", NS_CLIENT) && is_new {
            self.known.historic.push(number);
            self.known.historic.sort_unstable();
        }
        if std::mem::take(&mut self.known.is_lossy) {
            self.known.waits_from.get_or_insert(self.known.live.len());
        }
        if !is_late || (is_new && !is_old && was_shown) {
            self.known.live.push(number);
        }
    }

    /// The archive shows what was missed, before what has come live since. What is older than all that was known, a session
    /// has asked for.
    fn note_archived(&mut self, stanza: &Stanza) {
        let Some(number) = archived_number(stanza) else { return };
        if self.known.historic.contains(&number) || self.known.live.contains(&number) {
            return;
        }
        self.known.historic.push(number);
        self.known.historic.sort_unstable();
        if self.known.first.is_some_and(|first| number < first) {
            return;
        }
        match &mut self.known.waits_from {
            Some(from) => {
                self.known.live.insert(*from, number);
                *from += 1;
            }
            None => self.known.live.push(number),
        }
    }

    /// Whether the room has let the account in for an earlier join, has not answered the last one, and is silent.
    pub(crate) fn is_silent(&self) -> bool {
        let is_let_in = !self.known.is_shown && !self.known.nick.is_empty();
        is_let_in && self.unanswered.is_some() && self.now_ms - self.heard_ms >= limit::JOIN_SILENCE_MS
    }

    /// Prosody answers, or bounces.
    pub(crate) fn note_passed(&mut self, stanza: &Stanza) {
        if let (Kind::Iq(IqType::Get), Some(id)) = (stanza.kind, stanza.id.as_deref()) {
            *self.questions.entry(id.to_owned()).or_default() += 1;
            self.room.people.answered_by_prosody(id);
        }
    }
}

/// Whether the room gives the account another nick.
fn says_renamed(stanza: &Stanza) -> bool {
    let occupant = MucUser::read(stanza);
    occupant.has(status::SELF) && occupant.has(status::NICK_CHANGE)
}
