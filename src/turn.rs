//! One call of the core: when it happens, what it may consult, and what it decides.

use std::collections::VecDeque;

use crate::allowance::Allowance;
use crate::config::{Config, limit};
use crate::event::{Action, Id, Now, SessionId};
use crate::ids::Ids;
use crate::pace::Pace;
use crate::pending::backlog::Backlog;
use crate::profile::Profile;
use crate::room::kinds::Kinds;
use crate::room::log::Logs;
use crate::services::{Finding, Services};
use crate::trouble::Contact;
use crate::xmpp::cost::Cost;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::{Kept, Kind, PresenceType, Stanza};

/// What every decision of one call shares.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    /// What holds for the account in every room.
    pub(crate) profile: &'a Profile,
    /// What is known of the services of rooms.
    pub(crate) services: &'a Services,
    /// What is in the logs of rooms.
    pub(crate) logs: &'a mut Logs,
    /// What rooms have told of themselves.
    pub(crate) kinds: &'a mut Kinds,
    ids: &'a mut Ids,
    /// How much more may wait for the account (R7).
    spare: usize,
    waits_more: bool,
    pace: &'a mut Pace,
    allowance: &'a mut Allowance,
    is_asked: bool,
    actions: Vec<Action>,
    in_hand: InHand,
    finding: Option<Finding>,
    contact: Option<Contact>,
}

/// What the decisions about all rooms change.
pub(crate) type Shared<'a> = (&'a mut Ids, &'a mut Pace, &'a mut Logs, &'a mut Kinds);

/// The stanza that a decision is about.
#[derive(Debug)]
enum InHand {
    /// The stanza that the event brought.
    Itself,
    /// The stanza that the event brought, but sessions are to be shown this instead.
    ShownAs(Kept),
    /// A stanza that came earlier, and has waited until now.
    Earlier,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        now: Now,
        config: &'a Config,
        (ids, pace, logs, kinds): Shared<'a>,
        (profile, allowance): (&'a Profile, &'a mut Allowance),
        services: &'a Services,
        spare: usize,
    ) -> Self {
        Self {
            now,
            config,
            profile,
            services,
            logs,
            kinds,
            ids,
            spare,
            waits_more: false,
            pace,
            allowance,
            is_asked: false,
            actions: Vec::new(),
            in_hand: InHand::Itself,
            finding: None,
            contact: None,
        }
    }

    /// All that has been decided.
    pub(crate) fn into_actions(self) -> Vec<Action> {
        self.actions
    }

    /// Something turns out about the room's service.
    pub(crate) fn find_service(&mut self, finding: Finding) {
        self.finding = Some(finding);
    }

    /// What turned out about the room's service.
    pub(crate) fn finding(&self) -> Option<Finding> {
        self.finding
    }

    /// A stanza shows whether the room's service is there.
    pub(crate) fn note_contact(&mut self, contact: Contact) {
        self.contact = Some(contact);
    }

    /// Whether the room's service has turned out to be there, or not to be.
    pub(crate) fn contact(&self) -> Option<Contact> {
        self.contact
    }

    /// An id that nobody can guess.
    pub(crate) fn fresh_id(&mut self) -> Box<str> {
        self.ids.next()
    }

    /// Has a room wait for its turn to be asked whether the account is in (K10). While its service is out of reach it
    /// has none: when that is up again, the turn of all its rooms comes.
    pub(crate) fn wait_for_turn(&mut self, account: &BareJid, room: &BareJid) {
        if !self.services.troubles.is_out(room.domain()) {
            self.pace.wait(self.now, account, room);
        }
    }

    /// Whether a room that is lost may be joined again at once. Else it waits for its turn (K8).
    pub(crate) fn may_join(&mut self, account: &BareJid, room: &BareJid) -> bool {
        self.pace.may_join(self.now, account, room)
    }

    /// A session has sent that to the room: by a presence it asks the room to be shown the account otherwise.
    pub(crate) fn note_asked(&mut self, stanza: &Stanza) {
        if matches!(stanza.kind, Kind::Presence(PresenceType::Available | PresenceType::Unavailable)) {
            let by_server = stanza.from.as_ref().map_or(0, |from| from.as_str().len());
            self.allowance.earn(self.now, stanza.to_xml().len() - by_server);
            self.is_asked = true;
        }
    }

    /// Whether a session has sent a presence to the room.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// When a presence of so many bytes may go up that a session causes, and another has sent before.
    pub(crate) fn paid_ms(&mut self, bytes: usize) -> u64 {
        self.allowance.paid_ms(self.now, bytes)
    }

    /// When the next presence may go up that no session has asked for.
    pub(crate) fn next_unasked_ms(&mut self) -> u64 {
        self.allowance.next_ms(self.now)
    }

    /// A service has taken so long to answer a room's question that came in its turn.
    pub(crate) fn note_answer(&mut self, room: &BareJid, took_ms: u64) {
        self.pace.note_answer(room.domain(), took_ms);
    }

    /// The monotonic time in that many milliseconds.
    pub(crate) fn after(&self, milliseconds: u64) -> u64 {
        self.now.monotonic_ms.saturating_add(milliseconds)
    }

    /// Whether that monotonic time has come.
    pub(crate) fn is_due(&self, deadline_ms: u64) -> bool {
        self.now.monotonic_ms >= deadline_ms
    }

    /// How many milliseconds ago that monotonic time was.
    pub(crate) fn since(&self, past_ms: u64) -> u64 {
        self.now.since(past_ms)
    }

    /// Whether more may be kept for the account.
    pub(crate) fn has_space(&self) -> bool {
        self.spare > 0
    }

    /// How much may wait in a place of that limit, where so much waits already. The account has a limit as well.
    pub(crate) fn most(&self, waiting: usize, limit: usize) -> usize {
        limit.min(waiting.saturating_add(self.spare))
    }

    /// Notes that so much more waits for the account.
    pub(crate) fn note_waiting(&mut self, cost: usize) {
        self.spare = self.spare.saturating_sub(cost);
        self.waits_more = true;
    }

    /// Notes that what waits in a place costs so much, and did cost that much before.
    pub(crate) fn note_growth(&mut self, before: usize, after: usize) {
        self.note_waiting(after.saturating_sub(before));
    }

    /// Whether more waits for the account than before.
    pub(crate) fn waits_more(&self) -> bool {
        self.waits_more
    }

    /// Adds a stanza to those that wait, if all of them then cost no more than that; false if they would.
    pub(crate) fn keep(&mut self, backlog: &mut Backlog, limit: usize, stanza: Kept) -> bool {
        let cost = stanza.cost();
        let is_kept = backlog.cost() + cost <= self.most(backlog.cost(), limit);
        if is_kept {
            self.note_waiting(cost);
            backlog.push(stanza);
        }
        is_kept
    }

    /// The same, but the oldest that can be spared make space.
    pub(crate) fn keep_newest(
        &mut self,
        backlog: &mut Backlog,
        limit: usize,
        stanza: Kept,
        can_be_spared: impl Fn(&Kept) -> bool,
    ) -> bool {
        let wanted = backlog.cost() + stanza.cost();
        let before = backlog.cost();
        backlog.spare(wanted.saturating_sub(self.most(before, limit)), can_be_spared);
        self.spare += before - backlog.cost();
        self.keep(backlog, limit, stanza)
    }

    /// Adds something to what a room is asked for and has not been told yet; gives it back if that is too much.
    pub(crate) fn line_up<T: Cost>(&mut self, line: &mut VecDeque<T>, last: T) -> Option<T> {
        let (waiting, cost) = (line.outside(), last.cost());
        if waiting + cost > self.most(waiting, limit::WISHES_COST) {
            return Some(last);
        }
        self.note_waiting(cost);
        line.push_back(last);
        None
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Orders a stanza of ours to be delivered to one session.
    pub(crate) fn deliver(&mut self, session: SessionId, stanza: Stanza) {
        self.deliver_kept(session, Kept::without_to(stanza));
    }

    pub(crate) fn deliver_kept(&mut self, session: SessionId, stanza: Kept) {
        self.act(Action::Deliver { session, stanza });
    }

    /// Orders a stanza of ours to be sent to the room.
    pub(crate) fn send(&mut self, stanza: Stanza) {
        self.act(Action::Send { stanza: Kept::own(stanza) });
    }

    /// Sends a stanza of a session up as the account.
    pub(crate) fn go_up(&mut self, account: &BareJid, stanza: &Stanza, id: Id) {
        if self.is_about_earlier() {
            self.send(id.put_on(stanza.clone().from(account.to_jid())));
        } else {
            self.act(Action::Forward { id });
        }
    }

    /// Answers a stanza of a session with an error, which the room says.
    pub(crate) fn refuse(&mut self, room: &BareJid, session: SessionId, stanza: &Stanza, error: StanzaError) {
        if self.is_about_earlier() {
            self.deliver(session, error.reply_to(stanza, room.as_str()));
        } else {
            self.act(Action::Reply { error, by: room.clone() });
        }
    }

    /// Whether the stanza that is decided about came earlier, and is not the one in hand.
    pub(crate) fn is_about_earlier(&self) -> bool {
        matches!(self.in_hand, InHand::Earlier)
    }

    /// Decides about a stanza that came earlier, and has waited until now.
    pub(crate) fn about_earlier(&mut self, decide: impl FnOnce(&mut Self)) {
        let in_hand = std::mem::replace(&mut self.in_hand, InHand::Earlier);
        decide(self);
        self.in_hand = in_hand;
    }

    /// Decides about a stanza of the room that is shown only now, while another may be in hand.
    pub(crate) fn about_shown(&mut self, shown: Kept, decide: impl FnOnce(&mut Self)) {
        let in_hand = std::mem::replace(&mut self.in_hand, InHand::ShownAs(shown));
        decide(self);
        self.in_hand = in_hand;
    }

    /// Shows sessions that stanza instead of the one in hand.
    pub(crate) fn show_as(&mut self, shown: Kept) {
        self.in_hand = InHand::ShownAs(shown);
    }

    /// Orders a relay of the stanza in hand, if it has any receivers.
    pub(crate) fn relay(&mut self, sessions: Vec<(SessionId, Id)>) {
        let InHand::ShownAs(shown) = &self.in_hand else {
            if !sessions.is_empty() {
                self.act(Action::Relay { sessions });
            }
            return;
        };
        let shown = shown.clone();
        for (session, id) in sessions {
            self.deliver(session, id.put_on(Stanza::clone(&shown)));
        }
    }
}
