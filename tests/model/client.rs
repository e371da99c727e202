//! A session as a strict client: what it believes, and what it may never be sent.

use std::collections::BTreeMap;

use minimix_core::event::SessionId;
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{MucUser, NS_MUC, NS_MUC_USER, sets_subject, status};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

use crate::belief::{Known, Owed, OwedKind, View};
use crate::join::{Join, Stage, check_codes};
use crate::stanzas::{Occupant, ROOM, number, occupant_id};

/// One session.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: SessionId,
    pub(crate) jid: String,
    pub(crate) is_connected: bool,
    pub(crate) place: Place,
    pub(crate) view: View,
    /// The last presence that it sent to an occupant JID: its id and `<show/>`.
    pub(crate) last_presence: Option<(String, Option<String>)>,
    /// Stanzas that expect an answer, by their ids.
    pub(crate) owed: BTreeMap<String, Owed>,
    /// Questions of occupants that it has not answered.
    pub(crate) questions: Vec<Stanza>,
    /// Private messages that it has to see, and has seen.
    pub(crate) expected_private: Vec<u64>,
    pub(crate) seen_private: Vec<u64>,
}

/// Where a session believes to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Out,
    /// It has asked to join and is shown the room.
    Joining(Join),
    In,
}

impl Client {
    pub(crate) fn new(id: SessionId, jid: String) -> Self {
        Self {
            id,
            jid,
            is_connected: true,
            place: Place::Out,
            view: View::default(),
            last_presence: None,
            owed: BTreeMap::new(),
            questions: Vec::new(),
            expected_private: Vec::new(),
            seen_private: Vec::new(),
        }
    }

    pub(crate) fn is_in(&self) -> bool {
        match &self.place {
            Place::In => true,
            Place::Joining(join) => join.renames,
            Place::Out => false,
        }
    }

    pub(crate) fn is_joining(&self) -> bool {
        matches!(self.place, Place::Joining(_))
    }

    pub(crate) fn expect(&mut self, id: &str, kind: OwedKind) {
        self.owed.insert(id.to_owned(), Owed { kind, answers: 0 });
    }

    pub(crate) fn answers_to(&self, id: &str) -> usize {
        self.owed.get(id).map_or(0, |owed| owed.answers)
    }

    /// It is out: what it sent as an occupant needs no answer any more.
    pub(crate) fn goes_out(&mut self) {
        self.place = Place::Out;
        self.expected_private.clear();
        self.seen_private.clear();
        self.forgive_echoes();
    }

    pub(crate) fn forgive_echoes(&mut self) {
        for owed in self.owed.values_mut().filter(|owed| owed.kind == OwedKind::Echo) {
            owed.kind = OwedKind::Other;
        }
    }

    /// An answer got lost on its way.
    pub(crate) fn forgive_queries(&mut self) {
        for owed in self.owed.values_mut().filter(|owed| owed.kind == OwedKind::Query) {
            owed.kind = OwedKind::Other;
        }
    }

    pub(crate) fn asks_to_join(&mut self, id: &str, nick: &str, most: Option<usize>, known: &Known) {
        let own_nick = self.view.own.as_ref().map(|(nick, _)| nick.as_str());
        let renames = self.is_in() && own_nick != Some(nick);
        if !renames {
            nick.clone_into(&mut self.view.asked_nick);
        }
        self.expect(id, OwedKind::Other);
        let asked_at = self.waits_since().filter(|(stay, _)| *stay == known.stay);
        let asked_at = asked_at.unwrap_or((known.stay, known.live.len()));
        let join = Join { renames, asked_at, ..Join::new(id, nick, most) };
        if !renames {
            self.view.roster.clear();
            self.view.own = None;
        }
        self.place = Place::Joining(join);
    }

    /// When it asked first of the joins of which none has been answered: what came since may be shown after the
    /// subject.
    fn waits_since(&self) -> Option<(u64, usize)> {
        match &self.place {
            Place::Joining(join) if join.may_be_repeated() => Some(join.asked_at),
            Place::Joining(_) | Place::In | Place::Out => None,
        }
    }

    /// A stanza is delivered.
    pub(crate) fn receive(&mut self, stanza: &Stanza, known: &Known) {
        assert!(self.is_connected, "nobody is there");
        assert_eq!(stanza.from.as_ref().map(Jid::bare), Some(ROOM), "not from the room");
        self.count_answer(stanza);
        match stanza.kind {
            Kind::Message(MessageType::Error) if stanza.id.is_none() => {} // nor had the message
            Kind::Iq(IqType::Result | IqType::Error) | Kind::Message(MessageType::Error) => {
                let id = stanza.id.as_deref().expect("an answer without id");
                assert!(self.owed.contains_key(id), "an answer to nothing");
            }
            Kind::Iq(IqType::Get | IqType::Set) => {
                self.must_be_in();
                self.questions.push(stanza.clone());
            }
            Kind::Message(MessageType::Groupchat) if number(stanza).is_some() || sets_subject(stanza) => {
                self.groupchat(stanza, known);
            }
            Kind::Message(MessageType::Chat | MessageType::Normal) if number(stanza).is_some() => {
                assert!(self.place == Place::In || self.is_in(), "a private message outside (M6, P3)");
                self.seen_private.extend(number(stanza));
            }
            Kind::Message(_) => self.must_be_in(),
            Kind::Presence(_) => self.presence(stanza, known),
        }
    }

    fn must_be_in(&self) {
        assert!(self.is_in(), "a stanza of the room outside of it (M6)");
    }

    fn count_answer(&mut self, stanza: &Stanza) {
        let Some(owed) = stanza.id.as_deref().and_then(|id| self.owed.get_mut(id)) else { return };
        if matches!(
            stanza.kind,
            Kind::Message(MessageType::Groupchat | MessageType::Chat | MessageType::Normal)
        ) {
            return; // a reflection
        }
        owed.answers += 1;
        assert!(owed.answers == 1, "answered twice");
    }

    fn presence(&mut self, stanza: &Stanza, known: &Known) {
        let occupant = MucUser::read(stanza);
        let is_self = occupant.has(status::SELF);
        assert!(!stanza.children.contains(&occupant_id("forged")), "a claim as if it had passed (X2, F41)");
        match stanza.kind {
            Kind::Presence(PresenceType::Error) => self.presence_error(stanza, known),
            Kind::Presence(PresenceType::Available) if is_self => self.own_presence(stanza, &occupant, known),
            Kind::Presence(PresenceType::Available) => self.other_presence(stanza, &occupant, known),
            Kind::Presence(PresenceType::Unavailable) if is_self => self.own_gone(stanza, &occupant),
            Kind::Presence(PresenceType::Unavailable) => self.other_gone(stanza),
            _ => panic!("a presence that no room sends"),
        }
    }

    fn presence_error(&mut self, stanza: &Stanza, known: &Known) {
        let id = stanza.id.as_deref().expect("a presence error without id");
        assert!(self.owed.contains_key(id), "an error for nothing");
        if let Place::Joining(join) = &self.place
            && join.id == id
        {
            assert!(join.stage == Stage::Nothing, "a join refused when it was answered");
            let is_of_join = stanza.has("x", NS_MUC); // ours say so (J16)
            if join.renames && !is_of_join && join.asked_at.0 == known.stay {
                self.place = Place::In; // the nick is refused
            } else {
                self.goes_out();
            }
        }
    }

    fn own_presence(&mut self, stanza: &Stanza, occupant: &MucUser, known: &Known) {
        let nick = sender(stanza);
        assert_eq!(occupant.jid.as_deref(), Some(self.jid.as_str()), "not its own address (N13)");
        match &mut self.place {
            Place::Out => panic!("a self-presence outside (M6)"),
            Place::Joining(join) if stanza.id.as_deref() == Some(&join.id) => {
                assert!(join.stage <= Stage::Others, "a second self-presence in a join (J4)");
                join.begins(known);
                join.stage = Stage::Own;
                nick.clone_into(&mut self.view.real_nick);
                if !join.renames {
                    check_codes(occupant, join.non_anonymous, nick != join.nick);
                } else if !join.renamed {
                    self.view.roster = std::mem::take(&mut join.roster); // it was no nick change but a join again
                }
            }
            Place::Joining(join) => {
                assert!(join.renames || join.stage == Stage::Own, "a 110 before the join's answer (J2)");
            }
            Place::In => {}
        }
        let own = seen(stanza, occupant);
        if let Some((id, show)) = &self.last_presence
            && stanza.id.as_deref() == Some(id)
        {
            assert_eq!(own.show, *show, "not what it shows itself (design decision 4)");
        }
        self.view.own = Some((nick, own));
    }

    fn other_presence(&mut self, stanza: &Stanza, occupant: &MucUser, known: &Known) {
        let nick = sender(stanza);
        let mut is_burst = false;
        match &mut self.place {
            Place::Out => panic!("a presence outside (M6)"),
            Place::Joining(join) if !join.renames => {
                assert!(join.stage <= Stage::Others, "an occupant after the self-presence (J1)");
                join.begins(known);
                join.stage = Stage::Others;
                is_burst = true;
            }
            Place::Joining(join) => {
                join.roster.insert(nick.clone(), seen(stanza, occupant));
            }
            Place::In => {}
        }
        let item = stanza.find("x", NS_MUC_USER).and_then(|x| x.find("item"));
        assert!(item.is_some(), "no item (J3)");
        if self.view.own.as_ref().is_some_and(|(own, _)| *own == nick) {
            self.view.forget_alias();
        }
        let known_before = self.view.roster.insert(nick, seen(stanza, occupant));
        assert!(!(is_burst && known_before.is_some()), "an occupant twice in a join (J1)");
    }

    fn own_gone(&mut self, stanza: &Stanza, occupant: &MucUser) {
        if occupant.has(status::NICK_CHANGE) {
            assert!(self.is_in(), "a nick change outside or in a join");
            let new = occupant.nick.as_deref().expect("a new nick");
            if let Place::Joining(join) = &mut self.place {
                join.renamed = true;
            }
            new.clone_into(&mut self.view.real_nick);
            self.view.forget_alias();
            return;
        }
        match &self.place {
            Place::Out => {
                let id = stanza.id.as_deref().expect("a removal of somebody who is out");
                assert!(self.owed.contains_key(id), "a removal of somebody who is out (M6)");
            }
            Place::Joining(join) => {
                assert!(join.renames || join.stage > Stage::Nothing, "a removal before the join is answered");
                self.goes_out();
            }
            Place::In => self.goes_out(),
        }
    }

    fn other_gone(&mut self, stanza: &Stanza) {
        match &mut self.place {
            Place::Out => panic!("a presence outside (M6)"),
            Place::Joining(join) => {
                assert!(join.renames, "somebody goes within a join (J2)");
                join.roster.remove(&sender(stanza));
            }
            Place::In => {}
        }
        self.view.roster.remove(&sender(stanza));
    }

    fn groupchat(&mut self, stanza: &Stanza, known: &Known) {
        match &mut self.place {
            Place::Out => panic!("groupchat outside (M6)"),
            Place::Joining(join) if join.stage == Stage::Own => {
                if sets_subject(stanza) {
                    self.joined(stanza, known);
                } else {
                    assert!(stanza.has("delay", "urn:xmpp:delay"), "a live message before the subject (J1)");
                    join.history.extend(number(stanza));
                }
            }
            Place::Joining(join) => {
                assert!(join.renames, "a message before the self-presence (J1)");
                self.live(stanza, known);
            }
            Place::In => self.live(stanza, known),
        }
    }

    fn joined(&mut self, subject: &Stanza, known: &Known) {
        let Place::Joining(join) = std::mem::replace(&mut self.place, Place::In) else { return };
        let asked_at = if join.asked_at.0 == known.stay { join.asked_at.1 } else { 0 };
        let asked_at = asked_at.min(known.waits_from.unwrap_or(usize::MAX));
        let possible = if join.renames { asked_at..=known.live.len() } else { asked_at..=join.answered_at };
        // what came after it had asked is shown after the subject, or is history
        self.view.live = possible.filter(|live| join.is_history_until(*live, known)).collect();
        assert!(!self.view.live.is_empty(), "not the history it asked for (H3): {:?}", join.history);
        join.nick.clone_into(&mut self.view.asked_nick);
        self.view.subject = subject.text_of("subject").unwrap_or_default();
    }

    fn live(&mut self, stanza: &Stanza, known: &Known) {
        if sets_subject(stanza) {
            self.view.subject = stanza.text_of("subject").unwrap_or_default();
            return;
        }
        let Some(number) = number(stanza) else { panic!("a message of nobody") };
        if known.waited.contains(&number) {
            return;
        }
        self.view.live.retain(|live| known.live.get(*live) == Some(&number));
        assert!(!self.view.live.is_empty(), "a live message missing or twice (M2)");
        self.view.live.iter_mut().for_each(|live| *live += 1);
    }
}

fn sender(stanza: &Stanza) -> String {
    stanza.sender_nick().expect("an occupant").to_string()
}

fn seen(stanza: &Stanza, occupant: &MucUser) -> Occupant {
    let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
    Occupant {
        show: stanza.text_of("show"),
        role: text(&occupant.role),
        affiliation: text(&occupant.affiliation),
    }
}
