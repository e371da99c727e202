//! Messages: groupchat, subject, private ones, errors, and what a room says itself (§7.4, §7.5, §8.1).

use super::Occupancy;
use super::base::Base;
use super::phase::{In, Phase};
use crate::config::limit;
use crate::event::{Action, Id, SessionId, Verdict};
use crate::pending::peer::Peer;
use crate::pending::senders::Sent;
use crate::turn::Turn;
use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::delay;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::kinds::{is_for_the_account, is_private, is_worth_storing};
use crate::xmpp::muc::{MucUser, sets_subject, status};
use crate::xmpp::stanza::{Element, Kept, Kind, MessageType, Stanza};

const NS_CARBONS: &str = "urn:xmpp:carbons:2";

impl Occupancy {
    /// A session sent a message to the room or to an occupant.
    pub(super) fn message_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: &Stanza,
    ) -> Verdict {
        let to_occupant = stanza.target_nick().is_some();
        let is_groupchat = stanza.kind == Kind::Message(MessageType::Groupchat);
        let Some(attachment) = self.base.sessions.get(session) else {
            return self.message_from_outside(turn, session, stanza, is_groupchat || to_occupant);
        };
        let is_live = attachment.is_live();
        match &mut self.phase {
            Phase::In(stay) if is_live => {
                In { stay, base: &mut self.base }.message_up(turn, Some(session), stanza);
            }
            Phase::Joining(joining) if joining.takes_for_captcha(stanza) => {
                self.base.message_up(turn, Some(session), stanza);
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => self.base.hold(turn, session, stanza),
        }
        Verdict::Handled
    }

    /// Messages of a session that is not in the room: only an occupant may send most of them (M3, P2).
    fn message_from_outside(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: &Stanza,
        needs_occupant: bool,
    ) -> Verdict {
        if !self.is_occupied() {
            return Verdict::Pass("the account is not in the room");
        }
        if needs_occupant {
            turn.refuse(&self.base.me.room, session, stanza, StanzaError::NOT_JOINED);
            return Verdict::Handled;
        }
        Verdict::Pass("the session is not in the room") // a decline needs no occupant (B3)
    }

    /// A stanza was lost with its session. If no other session is attached, a private message is stored (P4).
    /// Prosody does that only if the account has no session at all.
    pub(crate) fn nobody_got(&self, turn: &mut Turn<'_>, stanza: &Stanza) {
        let is_for_nobody = self.base.sessions.is_empty() && !self.base.hides(stanza, self.is_in());
        if is_private(stanza) && is_for_nobody && is_worth_storing(stanza) {
            turn.act(Action::StoreOffline { stanza: None });
        }
    }
}

impl Base {
    /// A message goes up as the account; its sender is remembered for an error (M1, M4).
    pub(super) fn message_up(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, message: &Stanza) {
        let id = id_of(turn, message);
        self.message_up_as(turn, session, id, message);
    }

    fn message_up_as(
        &mut self,
        turn: &mut Turn<'_>,
        session: Option<SessionId>,
        id: Box<str>,
        message: &Stanza,
    ) {
        let invented = message.id.is_none();
        let up_as = if invented { Id::Set(id.clone()) } else { Id::Keep };
        let to = message.target_nick();
        if let (Some(session), Some(peer)) = (session, &to) {
            self.queries.note_said(peer, message, session);
        }
        let sent = Sent { to: Peer::new(to), session, invented };
        let before = self.senders.cost();
        self.senders.remember(id, sent, turn.now.monotonic_ms, turn.most(before, limit::SENT_COST));
        turn.note_growth(before, self.senders.cost());
        if let Some(session) = session {
            self.mirror_private(turn, session, message);
        }
        turn.go_up(&self.me.account, message, up_as);
    }

    /// An error goes to the session whose message caused it, wherever the account is by now, and to no other
    /// (M4, P7, P8). False if it answers none.
    pub(super) fn message_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> bool {
        let sent = self.senders.refused(error);
        match &sent {
            Some(Sent { session: Some(session), invented, .. }) => {
                turn.relay(vec![(*session, if *invented { Id::Remove } else { Id::Keep })]);
            }
            Some(_) => {}
            None => log::debug!("an error from {} that answers nothing", self.me.room),
        }
        sent.is_some()
    }

    /// A private message is shown to the account's other sessions in the room (P5); one to our own nick comes
    /// back from the room.
    fn mirror_private(&self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        let Some(nick) = stanza.target_nick() else { return };
        if nick == self.me.nick || stanza.kind == Kind::Message(MessageType::Groupchat) {
            return; // the room refuses a groupchat message to an occupant (M15)
        }
        let others: Vec<_> = self
            .sessions
            .iter()
            .filter(|(other, attachment)| *other != session && attachment.is_live())
            .map(|(other, _)| other)
            .collect();
        if !others.is_empty() {
            let stanza = turn.is_about_earlier().then(|| Kept::own(stanza.clone()));
            turn.act(Action::Mirror { sessions: others, stanza });
        }
    }

    /// Takes in a live groupchat message: it is the next in the history, or sets the subject.
    pub(super) fn take_in_live(&mut self, turn: &Turn<'_>, stanza: &Kept, is_delayed: bool) {
        if sets_subject(stanza) {
            self.room.fold_subject(stanza, Some(turn.now.utc_ms));
        } else {
            let room = &self.me.room;
            let dated_ms = if is_delayed { delay::stamp_by_room(stanza, room) } else { None };
            self.room.history.keep(stanza, dated_ms, room, turn.now, turn.config);
        }
    }

    /// The message as sessions may see it, if that differs. A groupchat message loses stanza-ids in the
    /// account's name (A5); in other messages those are of the account's archive, which has removed forged
    /// ones. A private message loses the carbons hint of its sender's server (XEP-0280 §10).
    pub(super) fn as_shown(&self, stanza: &Stanza) -> Option<Kept> {
        let account = self.me.account.as_str();
        let is_hidden = |child: &Element| match stanza.kind {
            Kind::Message(MessageType::Groupchat) => {
                child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(account)
            }
            Kind::Message(MessageType::Chat | MessageType::Normal) => child.is("private", NS_CARBONS),
            Kind::Message(MessageType::Error) | Kind::Presence(_) | Kind::Iq(_) => false,
        };
        if !stanza.children.iter().any(is_hidden) {
            return None;
        }
        let mut shown = stanza.clone();
        shown.children.retain(|child| !is_hidden(child));
        Some(Kept::own(shown))
    }

    /// Takes in what the room says of itself; after a change of anonymity the kept presences are no longer
    /// what a join would show (J8).
    pub(super) fn fold_flags(&mut self, occupant: &MucUser) {
        if self.room.flags.fold(&occupant.codes) {
            self.room.is_current = false;
        }
        if occupant.has(status::CONFIGURED) {
            self.room.history.forget_room_limit();
        }
    }
}

impl In<'_> {
    /// A message goes up as the account, unless it is stuck.
    pub(super) fn message_up(&mut self, turn: &mut Turn<'_>, session: Option<SessionId>, message: &Stanza) {
        let id = id_of(turn, message);
        let is_for_all =
            message.target_nick().is_none() && message.kind == Kind::Message(MessageType::Groupchat);
        if !is_for_all || !self.keep_said(turn, session, &id, message) {
            self.base.message_up_as(turn, session, id, message);
        }
    }

    /// The room or an occupant sent a message while the account is in.
    pub(super) fn message_came(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        message_type: MessageType,
    ) -> Verdict {
        match message_type {
            MessageType::Error => self.message_refused(turn, stanza),
            MessageType::Groupchat => self.groupchat_came(turn, stanza),
            MessageType::Chat | MessageType::Normal if stanza.sender_nick().is_some() => {
                self.private_came(turn, stanza);
            }
            MessageType::Chat | MessageType::Normal => return self.notice_came(turn, stanza),
        }
        Verdict::Handled
    }

    fn groupchat_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        let is_delayed = delay::is_delayed(stanza);
        if self.groupchat_resynced(turn, stanza) || (is_delayed && self.late_history_came(turn, stanza)) {
            return;
        }
        let nick = stanza.from.as_ref().and_then(Jid::resource);
        if nick == Some(self.base.me.nick.as_str()) {
            self.base.senders.reflected(stanza.id.as_deref());
            self.note_said(stanza);
        }
        if nick.is_none() {
            let told = MucUser::read(stanza); // occupants may write what they like
            self.base.fold_flags(&told);
            if told.has(status::CONFIGURED) {
                turn.kinds.note_configured(&self.base.me.room);
            }
        }
        let archived = self.log_live(turn, stanza);
        if !self.waits_behind_gap(turn, archived.as_ref().unwrap_or(stanza)) {
            self.base.take_in_live(turn, stanza, is_delayed);
            match archived {
                None => self.relay(turn, stanza),
                Some(shown) => self.relay_as(turn, &shown),
            };
        }
        if turn.profile.is_pushed {
            self.notify(turn, stanza);
        }
    }

    /// Relays a message as it is in the account's archive.
    fn relay_as(&mut self, turn: &mut Turn<'_>, shown: &Kept) -> bool {
        let mut is_kept = false;
        turn.about_shown(shown.clone(), |turn| is_kept = self.relay(turn, shown));
        is_kept
    }

    /// A private message goes to each attached session once, to a waiting one after its subject. If none gets or
    /// keeps it, it goes into the offline storage (P3, P4).
    fn private_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) {
        let is_kept = if self.base.sessions.is_empty() {
            !is_worth_storing(stanza) || self.stay.keep_with_waiting_leave(turn, stanza)
        } else {
            self.relay(turn, stanza)
        };
        if !is_kept && is_worth_storing(stanza) {
            turn.act(Action::StoreOffline { stanza: None });
        }
    }

    /// What the room itself says: invitations and notices for the account are Prosody's, everything else is
    /// for the sessions that are in (M9, M10, B1). A decline answers one of those, if any is there (B3).
    fn notice_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> Verdict {
        if is_for_the_account(stanza) && !self.base.answers_session(stanza) {
            return Verdict::Pass("an invitation or a notice");
        }
        if self.missed_came(turn, stanza)
            || self.older_came(turn, stanza)
            || self.base.archive_result_came(turn, stanza)
            || self.versions_resynced(turn, stanza)
        {
            return Verdict::Handled;
        }
        self.base.fold_flags(&MucUser::read(stanza));
        self.relay(turn, stanza);
        Verdict::Handled
    }

    /// An error answers a message. It may show that the account is out.
    fn message_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) {
        let is_from_room = error.sender_nick().is_none();
        if is_from_room && self.is_stuck_by(turn, error) {
            return;
        }
        let was_sent = self.base.message_refused(turn, error);
        if (was_sent || is_from_room) && error.error_condition() == Some("not-acceptable") {
            self.suspect(turn); // only an occupant may speak: one self-ping decides (K9)
        }
    }
}

/// The id under which a message goes up.
fn id_of(turn: &mut Turn<'_>, message: &Stanza) -> Box<str> {
    message.id.clone().unwrap_or_else(|| turn.fresh_id())
}
