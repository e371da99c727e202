//! A stock room, as simple as can be (XEP-0045): what it is told, what it then says to the account.

use std::collections::{BTreeMap, VecDeque};

use minimix_core::xmpp::muc::{NS_MUC, NS_MUC_USER, asks_to_join, sets_subject, status_element};
use minimix_core::xmpp::stanza::{
    Element, IqType, Kind, MessageType, NS_CLIENT, NS_STANZAS, PresenceType, Stanza,
};

use crate::archive::{Archive, NS_MAM};
use crate::people::People;
use crate::stanzas::{
    ACCOUNT, Occupant, ROOM, delay, element, gone, jid, numbered, occupant_jid, shown, stamp, stanza_id,
    target,
};
use crate::transition::{Decision, OtherDoes};

const HISTORY: usize = 30;
const PASSWORD: &str = "sesame";

/// A room in which one account is watched.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) others: BTreeMap<String, Occupant>,
    /// The account's nick and presence, if it is in.
    pub(crate) account: Option<(String, Occupant, Vec<Element>)>,
    pub(crate) non_anonymous: bool,
    banned: bool,
    locked: bool,
    affiliation: Option<&'static str>,
    history: VecDeque<Stanza>,
    archive: Archive,
    subject: Option<Stanza>,
    pub(crate) numbers: u64,
    pub(crate) people: People,
    /// What the room has said to the account and is not yet on its way.
    said: Vec<Stanza>,
}

impl Room {
    /// A room with that many occupants who do nothing.
    pub(crate) fn with_crowd(crowd: usize) -> Self {
        let occupant = |number| (format!("x{number:03}"), Occupant::new(None));
        Self { others: (0..crowd).map(occupant).collect(), ..Self::default() }
    }

    pub(crate) fn has_account(&self) -> bool {
        self.account.is_some()
    }

    /// Takes what has been said since.
    pub(crate) fn take_said(&mut self) -> Vec<Stanza> {
        std::mem::take(&mut self.said)
    }

    /// The account sent a stanza.
    pub(crate) fn hear(&mut self, stanza: &Stanza, utc: &str) {
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => self.hear_presence(stanza),
            Kind::Presence(PresenceType::Unavailable) => self.hear_leave(stanza),
            Kind::Presence(PresenceType::Probe) => self.hear_probe(stanza),
            Kind::Message(MessageType::Groupchat) => self.hear_groupchat(stanza, utc),
            Kind::Message(MessageType::Chat | MessageType::Normal) => self.hear_private(stanza),
            Kind::Iq(IqType::Get | IqType::Set) => self.hear_query(stanza),
            Kind::Iq(IqType::Result | IqType::Error) => {
                let id = stanza.id.as_deref().unwrap_or_default();
                self.people.hear_answer(id, target(stanza).as_deref());
            }
            _ => {}
        }
    }

    fn hear_presence(&mut self, stanza: &Stanza) {
        let Some(nick) = target(stanza) else { return self.refuse(stanza, "modify", "jid-malformed") };
        let show = stanza.text_of("show");
        let Some((old, mut occupant, _)) = self.account.clone() else {
            return self.hear_join(stanza, &nick);
        };
        if nick != old && self.others.contains_key(&nick) {
            return self.refuse(stanza, "cancel", "conflict");
        }
        occupant.show = show;
        if nick != old {
            self.say_renamed(&old, &nick);
        }
        self.account = Some((nick, occupant, shown(stanza)));
        if asks_to_join(stanza) {
            self.show_all(stanza);
        } else {
            self.show_account(&[110], stanza.id.as_deref());
        }
    }

    fn hear_join(&mut self, stanza: &Stanza, nick: &str) {
        let password = stanza.find("x", NS_MUC).and_then(|x| x.find("password")).map(Element::text);
        if !asks_to_join(stanza) {
            return self.refuse(stanza, "cancel", "item-not-found");
        } else if self.banned {
            return self.refuse(stanza, "auth", "forbidden");
        } else if self.locked && password.as_deref() != Some(PASSWORD) {
            return self.refuse(stanza, "auth", "not-authorized");
        } else if self.others.contains_key(nick) {
            return self.refuse(stanza, "cancel", "conflict");
        }
        let mut occupant = Occupant::new(stanza.text_of("show"));
        self.affiliation.unwrap_or("none").clone_into(&mut occupant.affiliation);
        self.account = Some((nick.to_owned(), occupant, shown(stanza)));
        self.show_all(stanza);
    }

    /// The order of XEP-0045 §7.1.
    fn show_all(&mut self, join: &Stanza) {
        for nick in self.others.keys().cloned().collect::<Vec<_>>() {
            self.show_other(&nick);
        }
        let codes: &[u16] = if self.non_anonymous { &[100, 110] } else { &[110] };
        self.show_account(codes, join.id.as_deref());
        let asked = join.find("x", NS_MUC).and_then(|x| x.find("history"));
        let most = asked.and_then(|asked| asked.attribute("maxstanzas")?.parse().ok()).unwrap_or(HISTORY);
        let since = asked.and_then(|asked| asked.attribute("since")).unwrap_or_default().to_owned();
        let recent = self.history.iter().filter(|message| stamp(message) >= since);
        let recent: Vec<_> = recent.cloned().collect();
        self.said.extend(recent.iter().skip(recent.len().saturating_sub(most)).cloned());
        let subject = self.subject.clone().unwrap_or_else(|| {
            Stanza::new(Kind::Message(MessageType::Groupchat)).from(jid(ROOM)).child(element("subject", ""))
        });
        self.said.push(subject);
    }

    fn show_other(&mut self, nick: &str) {
        let Some(occupant) = self.others.get(nick) else { return };
        let presence = Stanza::new(Kind::Presence(PresenceType::Available))
            .from(occupant_jid(nick))
            .children(occupant.show.as_deref().map(|show| element("show", show)))
            .child(occupant.x(None, &[], &occupant.role));
        self.said.push(presence);
    }

    fn show_account(&mut self, codes: &[u16], id: Option<&str>) {
        let Some((nick, occupant, payload)) = &self.account else { return };
        let presence = Stanza::new(Kind::Presence(PresenceType::Available))
            .from(occupant_jid(nick))
            .id(id)
            .children(payload.iter().cloned())
            .child(occupant.x(Some(ACCOUNT), codes, &occupant.role));
        self.said.push(presence);
    }

    fn say_renamed(&mut self, old: &str, new: &str) {
        let Some((_, occupant, _)) = &self.account else { return };
        let mut x = occupant.x(Some(ACCOUNT), &[303, 110], &occupant.role);
        for item in x.elements_mut().filter(|child| &*child.name == "item") {
            item.set_attribute("nick", Some(new));
        }
        self.said.push(gone(old).child(x));
    }

    fn hear_leave(&mut self, leave: &Stanza) {
        self.people.lose_account();
        if let Some((nick, occupant, _)) = self.account.take() {
            let x = occupant.x(Some(ACCOUNT), &[110], "none");
            self.said.push(gone(&nick).id(leave.id.as_deref()).child(x));
        }
    }

    fn hear_probe(&mut self, probe: &Stanza) {
        let Some(nick) = target(probe) else { return };
        if self.account.is_none() {
            self.refuse(probe, "cancel", "not-acceptable");
        } else if self.own_nick() == Some(&nick) {
            self.show_account(&[110], None);
        } else if self.others.contains_key(&nick) {
            self.show_other(&nick);
        } else {
            self.said.push(gone(&nick).child(Occupant::new(None).x(None, &[], "none")));
        }
    }

    fn hear_groupchat(&mut self, message: &Stanza, utc: &str) {
        let Some((nick, occupant, _)) = &self.account else {
            return self.refuse(message, "modify", "not-acceptable");
        };
        if occupant.role == "visitor" {
            return self.refuse(message, "auth", "forbidden");
        }
        let nick = nick.clone();
        self.broadcast(&nick, message.clone(), utc);
    }

    /// Reflects a message to everybody.
    fn broadcast(&mut self, nick: &str, mut message: Stanza, utc: &str) {
        self.numbers += 1;
        message.to = None;
        message.from = Some(occupant_jid(nick));
        message.children.push(numbered(self.numbers));
        message.children.push(stanza_id(self.numbers));
        let delayed = message.clone().child(delay(utc));
        if sets_subject(&message) {
            self.subject = Some(delayed);
        } else if message.has("body", NS_CLIENT) {
            self.archive.keep(self.numbers, &delayed);
            self.history.push_back(delayed);
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        if self.account.is_some() {
            self.said.push(message);
        }
    }

    fn hear_private(&mut self, message: &Stanza) {
        if self.account.is_none() {
            return self.refuse(message, "modify", "not-acceptable");
        }
        match target(message) {
            Some(nick) if self.own_nick() == Some(&nick) => self.whisper(&nick, message.clone()),
            Some(nick) if !self.others.contains_key(&nick) => {
                self.refuse(message, "cancel", "item-not-found");
            }
            _ => {}
        }
    }

    fn whisper(&mut self, nick: &str, mut message: Stanza) {
        self.numbers += 1;
        message.to = None;
        message.from = Some(occupant_jid(nick));
        self.said.push(message.child(numbered(self.numbers)));
    }

    fn hear_query(&mut self, query: &Stanza) {
        if self.account.is_none() {
            return self.refuse(query, "modify", "not-acceptable");
        }
        match target(query) {
            None if query.has("query", NS_MAM) => self.said.extend(self.archive.answer(query)),
            Some(nick) if nick == "dave" && self.others.contains_key("dave") => {
                self.people.keep_silent(&nick, query);
            }
            Some(nick) if self.own_nick() != Some(&nick) && !self.others.contains_key(&nick) => {
                self.refuse(query, "cancel", "item-not-found");
            }
            _ => {
                let answer = Stanza::new(Kind::Iq(IqType::Result)).id(query.id.as_deref());
                self.said.push(Stanza { from: query.to.clone(), ..answer });
            }
        }
    }

    fn refuse(&mut self, stanza: &Stanza, error_type: &str, condition: &str) {
        let kind = match stanza.kind {
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        };
        let condition = Element::build(condition, NS_STANZAS).done();
        let error = Element::build("error", NS_CLIENT).attribute("type", error_type).child(condition);
        let mut refusal = Stanza::new(kind).id(stanza.id.as_deref()).child(error.done());
        refusal.from.clone_from(&stanza.to);
        self.said.push(refusal);
    }

    pub(crate) fn own_nick(&self) -> Option<&String> {
        self.account.as_ref().map(|(nick, _, _)| nick)
    }

    /// Another occupant does something.
    pub(crate) fn other(&mut self, nick: &str, does: &OtherDoes, utc: &str) {
        let is_in = self.others.contains_key(nick);
        let is_free = |room: &Self, nick: &str| {
            !room.others.contains_key(nick) && room.own_nick().is_none_or(|own| own != nick)
        };
        let spoken = |kind| Stanza::new(Kind::Message(kind));
        match does {
            OtherDoes::Join(show) if is_free(self, nick) => {
                self.others.insert(nick.to_owned(), Occupant::new(show.map(ToOwned::to_owned)));
                self.tell_of(nick);
            }
            OtherDoes::Leave if is_in => self.other_goes(nick, None),
            OtherDoes::Show(show) if is_in => {
                self.others.insert(nick.to_owned(), Occupant::new(show.map(ToOwned::to_owned)));
                self.tell_of(nick);
            }
            OtherDoes::Rename(new) if is_in && is_free(self, new) => self.other_goes(nick, Some(new)),
            OtherDoes::Say if is_in => {
                self.broadcast(nick, spoken(MessageType::Groupchat).child(element("body", "hello")), utc);
            }
            OtherDoes::Type if is_in => {
                let state = Element::build("composing", "http://jabber.org/protocol/chatstates").done();
                self.broadcast(nick, spoken(MessageType::Groupchat).child(state), utc);
            }
            OtherDoes::SetSubject if is_in => {
                let subject = element("subject", &format!("subject {}", self.numbers));
                self.broadcast(nick, spoken(MessageType::Groupchat).child(subject), utc);
            }
            OtherDoes::Whisper if is_in && self.has_account() => {
                self.whisper(nick, spoken(MessageType::Chat).child(element("body", "psst")));
            }
            OtherDoes::Ask if is_in && self.has_account() => {
                self.numbers += 1;
                let query = Element::build("query", "jabber:iq:version").done();
                let id = format!("question{}", self.numbers);
                self.people.ask(nick, &id);
                let question = Stanza::new(Kind::Iq(IqType::Get)).from(occupant_jid(nick)).id(Some(&id));
                self.said.push(question.child(query));
            }
            _ => {}
        }
    }

    fn tell_of(&mut self, nick: &str) {
        if self.has_account() {
            self.show_other(nick);
        }
    }

    fn other_goes(&mut self, nick: &str, new: Option<&str>) {
        let Some(occupant) = self.others.remove(nick) else { return };
        let (codes, role): (&[u16], _) = if new.is_some() { (&[303], "participant") } else { (&[], "none") };
        let mut x = occupant.x(None, codes, role);
        for item in x.elements_mut().filter(|child| &*child.name == "item") {
            item.set_attribute("nick", new);
        }
        if self.has_account() {
            self.said.push(gone(nick).child(x));
        }
        if new.is_none() {
            self.people.leave(nick);
        }
        if let Some(new) = new {
            self.people.rename(nick, new);
            self.others.insert(new.to_owned(), occupant);
            self.tell_of(new);
        }
    }

    /// The room decides something about the account.
    pub(crate) fn decide(&mut self, decision: Decision) {
        match decision {
            Decision::Remove(codes) => self.remove(codes),
            Decision::Ban(banned) => {
                self.banned = banned;
                if banned {
                    self.remove(&[110, 301]);
                }
            }
            Decision::Lock(locked) => self.locked = locked,
            Decision::Role(role) => self.change(|occupant| role.clone_into(&mut occupant.role)),
            Decision::Affiliation(affiliation) => {
                self.affiliation = Some(affiliation);
                self.change(|occupant| affiliation.clone_into(&mut occupant.affiliation));
            }
            Decision::Rename(new) => {
                let old = self.own_nick().cloned();
                if let Some(old) = old.filter(|old| old != new && !self.others.contains_key(new)) {
                    self.say_renamed(&old, new);
                    self.account = self.account.take().map(|(_, one, payload)| (new.into(), one, payload));
                    self.show_account(&[110, 210], None);
                }
            }
            Decision::NonAnonymous(is) if is != self.non_anonymous => {
                self.non_anonymous = is;
                let code = status_element(if is { 172 } else { 173 });
                let x = Element::build("x", NS_MUC_USER).child(code).done();
                if self.has_account() {
                    let notice = Stanza::new(Kind::Message(MessageType::Groupchat)).from(jid(ROOM)).child(x);
                    self.said.push(notice);
                }
            }
            Decision::NonAnonymous(_) => {}
            Decision::Forget => {
                self.people.lose_account();
                self.account = None;
            }
        }
    }

    /// Whoever was silent answers, if the account is still there.
    pub(crate) fn people_answer(&mut self) {
        let answers = self.people.answer();
        if self.has_account() {
            self.said.extend(answers);
        }
    }

    fn remove(&mut self, codes: &[u16]) {
        self.people.lose_account();
        if let Some((nick, occupant, _)) = self.account.take() {
            self.said.push(gone(&nick).child(occupant.x(Some(ACCOUNT), codes, "none")));
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Occupant)) {
        if let Some((_, occupant, _)) = &mut self.account {
            change(occupant);
            self.show_account(&[110], None);
        }
    }
}
