//! Of which messages of a room the account's push services are told (XEP-0357, design decision 21).
//!
//! A device that is away has either no session, then the account is notified here, or one that hibernates: then
//! `mod_cloud_notify` asks before it tells the service what waits for it.

use std::hash::Hasher;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::phase::{In, Phase};
use crate::config::limit;
use crate::event::{Action, Now};
use crate::pending::backlog::Backlog;
use crate::push::{Rule, Rules, Ruling, Settings};
use crate::room::kinds::Kinds;
use crate::room::seen::{Print, stanza_id};
use crate::room::self_presence::occupant_id;
use crate::said::Said;
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::kinds::{
    is_encrypted, is_for_the_account, is_own_presence, is_private, is_worth_storing, says_something,
};
use crate::xmpp::mention::{Person, mentions};
use crate::xmpp::muc::{Departure, MucUser, NS_MUC_USER, sets_subject, status, status_element};
use crate::xmpp::stanza::{Element, Kept, Kind, MessageType, NS_CLIENT, PresenceType, Stanza};

const NS_REPLY: &str = "urn:xmpp:reply:0";

/// What is known of a room for an account that is notified.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Notice {
    pub(super) settings: Settings,
    said: Said,
    /// Whether it has said something that is not stored.
    has_news: bool,
    /// Up to which message a device has shown the room.
    displayed: Option<u32>,
}

impl Notice {
    fn has_said(&self, id: &str, now: Now) -> bool {
        self.said.has(Print::of_stanza_id(id).number(), now.utc_ms)
    }
}

impl In<'_> {
    /// A groupchat message came live: a device without a session may have to be told of it.
    pub(super) fn notify(&mut self, turn: &mut Turn<'_>, message: &Kept) {
        if self.base.is_own(message, turn.now) {
            self.base.note_own(message, turn.now.utc_ms);
            return;
        }
        self.base.ask_for_rule(turn);
        if !self.base.notifies(message, self.stay.own.occupant_id(), turn.kinds, turn.now) {
            return;
        }
        match self.stay.attendance.waiting_leave() {
            Some(waiting) => {
                turn.keep(&mut waiting.notices, limit::LATER_COST, message.share());
            }
            None => turn.act(Action::Notify { stanza: None }),
        }
    }

    /// The account does not leave after all: it is notified of what has come meanwhile (L3).
    pub(super) fn notify_late(&self, turn: &mut Turn<'_>, notices: Backlog) {
        for message in notices {
            let message = Stanza::clone(&message).to(self.base.me.account.to_jid());
            turn.act(Action::Notify { stanza: Some(Kept::own(message)) });
        }
    }

    /// Somebody has put an end to the stay. If no session is there to be told, the account is notified.
    pub(super) fn notify_of_end(&mut self, turn: &mut Turn<'_>, departure: Departure) {
        let nobody_is_there = self.base.sessions.is_empty() && !self.stay.attendance.leave_waits();
        let (true, true, Some((text, code))) = (turn.profile.is_pushed, nobody_is_there, told_of(departure))
        else {
            return;
        };
        let body = Element::build("body", NS_CLIENT).text(text).done();
        let mut x = Element::build("x", NS_MUC_USER);
        if let Some(code) = code {
            x = x.child(status_element(code));
        }
        let notice = Stanza::new(Kind::Message(MessageType::Normal))
            .from(self.base.me.room.to_jid())
            .to(self.base.me.account.to_jid())
            .id(Some(&turn.fresh_id()))
            .children([body, x.done()]);
        turn.act(Action::Notify { stanza: Some(Kept::own(notice)) });
    }
}

/// How the end of a stay is told, if it is, and its status code.
fn told_of(departure: Departure) -> Option<(&'static str, Option<u16>)> {
    match departure {
        Departure::Banned => Some(("You have been banned from this room.", Some(status::BANNED))),
        Departure::AffiliationLost => {
            Some(("You are no longer a member of this room.", Some(status::AFFILIATION_LOST)))
        }
        Departure::MembersOnly => Some(("This room is for members only now.", Some(status::MEMBERS_ONLY))),
        Departure::Destroyed => Some(("This room has been destroyed.", None)),
        Departure::Left
        | Departure::Kicked
        | Departure::Shutdown
        | Departure::Technical
        | Departure::Unexplained => None,
    }
}

impl Base {
    pub(super) fn settings(&self) -> Settings {
        self.notice.as_ref().map(|notice| notice.settings).unwrap_or_default()
    }

    /// A record says that.
    pub(super) fn restore_settings(&mut self, settings: Settings) {
        if settings != Settings::default() {
            self.notice_mut().settings = settings;
        }
    }

    /// What the account has said, as it is stored.
    pub(super) fn said(&self, now: Now) -> Said {
        let mut said = self.notice.as_ref().map(|notice| notice.said.clone()).unwrap_or_default();
        said.forget_old(now.utc_ms);
        said
    }

    /// A record tells what it has said.
    pub(super) fn restore_said(&mut self, said: Said) {
        if !said.is_empty() {
            self.notice_mut().said = said;
        }
    }

    /// Whether it has said something that is not stored.
    pub(super) fn has_said_news(&self) -> bool {
        self.notice.as_ref().is_some_and(|notice| notice.has_news)
    }

    pub(super) fn notice_mut(&mut self) -> &mut Notice {
        self.notice.get_or_insert_default()
    }

    /// Whether the account has said it, perhaps under a nick that it has no longer.
    fn is_own(&self, message: &Stanza, now: Now) -> bool {
        let id = || stanza_id(message, &self.me.room);
        message.sender_nick().as_ref() == Some(&self.me.nick)
            || self.notice.as_ref().is_some_and(|notice| id().is_some_and(|id| notice.has_said(id, now)))
    }

    /// Others may answer what the account has said.
    fn note_own(&mut self, message: &Stanza, at_ms: i64) {
        let Some(id) = stanza_id(message, &self.me.room).or(message.id.as_deref()) else { return };
        let print = Print::of_stanza_id(id).number();
        let notice = self.notice_mut();
        notice.said.note(print, at_ms);
        notice.has_news = true;
    }

    /// The same of what it has said before a gap: it may not have been stored when the server was killed.
    pub(super) fn note_own_missed(&mut self, turn: &Turn<'_>, missed: &Stanza) {
        let now_ms = turn.now.utc_ms;
        let is_known = stanza_id(missed, &self.me.room)
            .is_some_and(|id| self.notice.as_ref().is_some_and(|notice| notice.has_said(id, turn.now)));
        if turn.profile.is_pushed && !is_known {
            let said_ms = delay::stamp_by_room(missed, &self.me.room).unwrap_or(now_ms);
            self.note_own(missed, said_ms.min(now_ms));
        }
    }

    /// Whether the account is to be notified of a groupchat message of somebody else.
    fn notifies(&self, message: &Stanza, occupant_id: Option<&str>, kinds: &Kinds, now: Now) -> bool {
        let is_delayed = delay::is_delayed_before(message, &self.me.account); // mod_smacks adds one
        if !says_something(message) || sets_subject(message) || is_delayed {
            return false;
        }
        let is_due = match self.settings().rule.unwrap_or_else(|| self.default_rule(kinds, now)) {
            Rule::Never => false,
            Rule::Always => true,
            Rule::OnMention => self.is_mention(message, occupant_id, now),
        };
        is_due && !self.hides(message, true) && !self.is_displayed(message)
    }

    /// Whether a message is for the account more than for others. Of an encrypted one nobody can tell.
    fn is_mention(&self, message: &Stanza, occupant_id: Option<&str>, now: Now) -> bool {
        let occupant = self.me.occupant();
        let account = self.me.account.as_str();
        let person =
            Person { nick: self.me.nick.as_str(), occupant: occupant.as_str(), account, occupant_id };
        mentions(message, person) || is_encrypted(message) || self.is_reply(message, occupant.as_str(), now)
    }

    /// Whether it answers what the account has said (XEP-0461).
    fn is_reply(&self, message: &Stanza, occupant: &str, now: Now) -> bool {
        let Some(reply) = message.find("reply", NS_REPLY) else { return false };
        let has_said = |id| self.notice.as_ref().is_some_and(|notice| notice.has_said(id, now));
        reply.attribute("to") == Some(occupant) || reply.attribute("id").is_some_and(has_said)
    }

    /// Whether a device has shown it to its user.
    fn is_displayed(&self, message: &Stanza) -> bool {
        let displayed = self.notice.as_ref().and_then(|notice| notice.displayed);
        displayed.is_some_and(|displayed| {
            self.room.history.is_up_to(Print::of(message, &self.me.room).number(), displayed)
        })
    }
}

impl Occupancy {
    /// Of what the account is to be notified, as far as that is known.
    pub(crate) fn settings(&self) -> Settings {
        self.base.settings()
    }

    /// What the account has said is stored; false if nothing of it is new.
    pub(crate) fn note_said_stored(&mut self) -> bool {
        self.base.notice.as_mut().is_some_and(|notice| std::mem::take(&mut notice.has_news))
    }

    /// A bookmark says of what the account wants to be notified.
    pub(crate) fn obey(&mut self, rule: Rule) {
        self.base.notice_mut().settings.rule = Some(rule);
    }

    /// The same, with what the bookmark of the room has said before.
    pub(crate) fn obeying(mut self, rules: &Rules) -> Self {
        if let Some(rule) = rules.get(self.room()) {
            self.obey(rule);
        }
        self
    }

    /// A device has shown the room to its user, up to that message.
    pub(crate) fn note_displayed(&mut self, stanza_id: &str) {
        self.base.notice_mut().displayed = Some(Print::of_stanza_id(stanza_id).number());
    }

    /// Whether it is decided here of which stanzas of the room push services are told.
    pub(crate) fn rules_pushes(&self) -> bool {
        match &self.phase {
            Phase::Out(past) => past.over_ms().is_some() && !self.base.has_directs(),
            Phase::Joining(_) | Phase::In(_) => true,
        }
    }

    /// Whether a push service may be told of a stanza that waits for a session that hibernates, or is kept for one.
    pub(crate) fn push_ruling(&self, now: Now, kinds: &Kinds, stanza: &Stanza) -> Ruling {
        let may_push = match stanza.kind {
            Kind::Message(MessageType::Groupchat) => self.notifies_later(now, kinds, stanza),
            Kind::Message(MessageType::Chat | MessageType::Normal) if is_private(stanza) => {
                is_worth_storing(stanza) && !self.base.is_own(stanza, now)
            }
            Kind::Message(MessageType::Chat | MessageType::Normal) => {
                is_for_the_account(stanza) || is_worth_storing(stanza)
            }
            Kind::Presence(PresenceType::Unavailable) => {
                is_own_presence(stanza) && told_of(Departure::read(&MucUser::read(stanza))).is_some()
            }
            Kind::Message(MessageType::Error) | Kind::Presence(_) | Kind::Iq(_) => false,
        };
        if may_push { Ruling::Push(print_of(stanza, &self.base.me.account)) } else { Ruling::Silence }
    }

    fn notifies_later(&self, now: Now, kinds: &Kinds, message: &Stanza) -> bool {
        let own = self.own().and_then(|own| occupant_id(own));
        let occupant_id = own.and_then(|id| id.attribute("id"));
        !self.base.is_own(message, now) && self.base.notifies(message, occupant_id, kinds, now)
    }
}

/// What tells a stanza from others of the room. Its author may have given it no id, but then the account's archive has.
fn print_of(stanza: &Stanza, account: &BareJid) -> u64 {
    let mut hasher = FxHasher::default();
    let id = stanza.id.as_deref().or_else(|| stanza_id(stanza, account));
    for part in [stanza.from.as_ref().map(Jid::as_str), id] {
        hasher.write(part.unwrap_or_default().as_bytes());
        hasher.write_u8(0);
    }
    hasher.write(stanza.text_of("body").unwrap_or_default().as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u3_one_stanza_has_one_print() {
        let account = BareJid::new("alice@example.org");
        let print = |inside: &str| {
            print_of(
                &Stanza::from_xml(&format!("<message from='r@s/bob' {inside}</message>")).unwrap(),
                &account,
            )
        };
        let by_archive = |id: &str| {
            print(&format!(
                "><body>a</body><stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='{id}'/>"
            ))
        };
        let delay = "<delay xmlns='urn:xmpp:delay' from='alice@example.org' stamp='2026-01-01T00:00:00Z'/>";
        assert_eq!(print("id='1'><body>a</body>"), print(&format!("id='1'><body>a</body>{delay}")));
        assert_ne!(print("id='1'><body>a</body>"), print("id='2'><body>a</body>"));
        assert_ne!(print("id='1'><body>a</body>"), print("id='1'><body>b</body>"));
        assert_ne!(by_archive("1"), by_archive("2"));
    }

    #[test]
    fn u7_only_what_lasts_is_told() {
        for departure in [Departure::Left, Departure::Kicked, Departure::Shutdown, Departure::Technical] {
            assert_eq!(told_of(departure), None);
        }
    }
}
