//! A room that answers all that it hears, as a stock room would. Bob is in it.

use std::collections::BTreeMap;

use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{NS_MUC, asks_to_join};
use minimix_core::xmpp::stanza::{Element, IqType, Kind, MessageType, PresenceType, Stanza};

use crate::shorthand::Way;

/// Who is in it besides bob, under which nick: the account, and sessions by themselves.
#[derive(Debug, Default)]
pub(crate) struct Room {
    occupants: BTreeMap<String, String>,
    /// How many others are there who do nothing.
    pub(crate) crowd: usize,
}

/// Somebody who has sent the room something, and what the room says to that address.
struct Sender<'a> {
    address: &'a Jid,
    nick: Option<String>,
    said: Vec<Stanza>,
}

impl Sender<'_> {
    fn say(&mut self, line: &str) {
        let way = number(self.address).map_or(Way::ToAccount, Way::ToSession);
        self.said.push(way.read(line).to(self.address.clone()));
    }

    /// The room shows the occupant itself, with what it said in that presence.
    fn show_itself(&mut self, presence: &Stanza, codes: &str) {
        let Some(nick) = self.nick.clone() else { return };
        self.say(&format!("self {nick} {} {codes}", id(presence)));
        let own = presence.children.iter().filter(|child| !child.is("x", NS_MUC)).cloned();
        let own: Vec<Element> = own.collect();
        if let Some(shown) = self.said.last_mut() {
            shown.children.splice(0..0, own);
        }
    }

    /// Refuses a stanza with its own kind of error.
    fn refuse(&mut self, stanza: &Stanza, error: &str) {
        let verb = match stanza.kind {
            Kind::Presence(_) => "refused",
            Kind::Message(_) => "bounce",
            Kind::Iq(_) => "error",
        };
        let nick = stanza.to.as_ref().and_then(Jid::resource).unwrap_or("-").to_owned();
        self.say(&format!("{verb} {nick} {} {error}", id(stanza)));
    }
}

impl Room {
    /// Hears a stanza; what it says, with its receivers.
    pub(crate) fn hear(&mut self, stanza: &Stanza) -> Vec<Stanza> {
        let address = stanza.from.clone().expect("a sender");
        let nick = self.occupants.get(address.as_str()).cloned();
        let mut sender = Sender { address: &address, nick, said: Vec::new() };
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => self.hear_presence(&mut sender, stanza),
            Kind::Presence(PresenceType::Unavailable) => {
                if let Some(nick) = self.occupants.remove(address.as_str()) {
                    sender.say(&format!("gone {nick} {} 110", id(stanza)));
                }
            }
            Kind::Presence(PresenceType::Probe) => hear_probe(&mut sender, stanza),
            Kind::Message(MessageType::Error) => {}
            Kind::Message(_) => hear_message(&mut sender, stanza),
            Kind::Iq(IqType::Get | IqType::Set) => hear_query(&mut sender, stanza),
            Kind::Iq(_) | Kind::Presence(_) => {}
        }
        sender.said
    }

    /// Removes the account, with these codes.
    pub(crate) fn remove(&mut self, account: &str, codes: &str) -> Vec<Stanza> {
        let address = Jid::new(account);
        let mut sender = Sender { address: &address, nick: None, said: Vec::new() };
        if let Some(nick) = self.occupants.remove(account) {
            sender.say(&format!("gone {nick} - {codes}"));
        }
        sender.said
    }

    fn hear_presence(&mut self, sender: &mut Sender<'_>, presence: &Stanza) {
        let Some(nick) = presence.target_nick() else {
            return sender.refuse(presence, "modify/jid-malformed");
        };
        let nick = nick.to_string();
        if nick == "bob" {
            return sender.refuse(presence, "cancel/conflict");
        }
        match &sender.nick {
            None if !asks_to_join(presence) => {
                return sender.say(&format!("gone {nick} {} 110,333,307", id(presence)));
            }
            Some(old) if *old != nick => {
                let old = old.clone();
                sender.say(&format!("gone {old} {{member/participant me nick={nick} 303,110}}"));
            }
            None | Some(_) => {}
        }
        self.occupants.insert(sender.address.as_str().to_owned(), nick.clone());
        sender.nick = Some(nick);
        if !asks_to_join(presence) {
            return sender.show_itself(presence, "110");
        }
        sender.say("occupant bob");
        for number in 1..=self.crowd {
            sender.say(&format!("occupant person{number:03}"));
        }
        sender.show_itself(presence, "110");
        sender.say("subject - Tea");
    }
}

fn hear_probe(sender: &mut Sender<'_>, probe: &Stanza) {
    let nick = probe.target_nick().map(|nick| nick.to_string()).unwrap_or_default();
    match &sender.nick {
        None => sender.refuse(probe, "cancel/not-acceptable"),
        Some(_) if nick == "bob" => sender.say("occupant bob"),
        Some(own) if nick == *own => sender.say(&format!("self {nick} - 110")),
        Some(_) => sender.say(&format!("gone {nick} {{none/none}}")),
    }
}

fn hear_message(sender: &mut Sender<'_>, message: &Stanza) {
    let to = message.target_nick().map(|nick| nick.to_string());
    let is_groupchat = message.kind == Kind::Message(MessageType::Groupchat);
    match (&sender.nick, to) {
        (None, _) => sender.refuse(message, "cancel/not-acceptable"),
        (Some(_), Some(_)) if is_groupchat => sender.refuse(message, "modify/bad-request"),
        (Some(own), None) if is_groupchat => reflect(sender, &own.clone(), message),
        (Some(own), Some(to)) if to == *own => reflect(sender, &to, message),
        (Some(_), Some(to)) if to != "bob" => sender.refuse(message, "cancel/item-not-found"),
        (Some(_), _) => {}
    }
}

fn reflect(sender: &mut Sender<'_>, nick: &str, message: &Stanza) {
    let mut reflected = message.clone().to(sender.address.clone());
    reflected.from = Some(Jid::new(&format!("{}/{nick}", crate::shorthand::ROOM)));
    sender.said.push(reflected);
}

fn hear_query(sender: &mut Sender<'_>, query: &Stanza) {
    let to = query.target_nick().map(|nick| nick.to_string());
    match (&sender.nick, to) {
        (_, None) => sender.say(&format!("result - {}", id(query))),
        (None, Some(_)) => sender.refuse(query, "cancel/not-acceptable"),
        (Some(own), Some(to)) if to == "bob" || to == *own => {
            sender.say(&format!("result {to} {}", id(query)));
        }
        (Some(_), Some(_)) => sender.refuse(query, "cancel/item-not-found"),
    }
}

fn id(stanza: &Stanza) -> &str {
    stanza.id.as_deref().unwrap_or("-")
}

/// The number of the session with that address; none if it is the account's.
pub(crate) fn number(address: &Jid) -> Option<u32> {
    address.resource()?.strip_prefix('d')?.parse().ok()
}
