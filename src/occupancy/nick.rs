//! The account's nick changes, at the wish of a session or of the room (XEP-0045 §7.6).

use super::check;
use super::phase::In;
use super::wishes::{Echo, NickWish};
use crate::config::limit;
use crate::event::SessionId;
use crate::room::self_presence::{add_code, name_session, retain_codes};
use crate::sessions::{Ask, Stage};
use crate::turn::Turn;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::{MucUser, NS_MUC_USER, status};
use crate::xmpp::stanza::{Kind, PresenceType, Stanza};

impl In<'_> {
    /// Takes in that a session wants another nick.
    pub(super) fn wish_nick(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        nick: Nick,
        id: Option<Box<str>>,
        ask: Option<Ask>,
    ) {
        if let Some(ask) = &ask {
            self.base.sessions.update(session, super::join::shown_presence(&ask.join));
        }
        let wish = NickWish::new(session, nick, id, ask);
        if let Some(refused) = self.stay.upstream.wish_nick(turn, wish) {
            self.refuse_nick(turn, &refused, StanzaError::OVER_LIMIT);
        }
    }

    pub(super) fn refuse_nick(&mut self, turn: &mut Turn<'_>, wish: &NickWish, error: StanzaError) {
        let refused = Stanza::new(Kind::Presence(PresenceType::Error))
            .from(self.base.me.room.occupant(&wish.nick))
            .id(wish.id.as_deref())
            .child(error.element(self.base.me.room.as_str()));
        if let Some(session) = wish.session {
            self.answer(turn, session, refused);
        }
    }

    /// 303: the account has another nick. All sessions are told, the one that asked under its id (N2, N5).
    pub(super) fn own_nick_changes(&mut self, turn: &mut Turn<'_>, stanza: &Stanza, occupant: &MucUser) {
        let is_nick = |nick: &&str| !nick.is_empty() && nick.len() <= limit::NICK_BYTES;
        let Some(new) = occupant.nick.as_deref().filter(is_nick).map(Nick::new) else { return };
        let asker = self.stay.upstream.note_renamed();
        self.tell_nick_change(turn, stanza, asker.as_ref());
        self.rename(turn, new, asker.as_ref());
    }

    /// The room shows the account under a nick that no 303 has told of: all are told as if one had.
    pub(super) fn note_other_nick(&mut self, turn: &mut Turn<'_>, nick: &Nick) {
        let asker = self.stay.upstream.asker_of(nick);
        self.tell_silent_nick_change(turn, nick, asker.as_ref());
    }

    fn tell_nick_change(&mut self, turn: &mut Turn<'_>, stanza: &Stanza, asker: Option<&Echo>) {
        for session in self.base.shown_sessions() {
            let Some(attachment) = self.base.sessions.get(session) else { continue };
            let mut told = stanza.clone();
            name_session(&mut told, &self.base.me.account, &attachment.jid);
            add_code(&mut told, status::SELF);
            let is_asker = |asker: &&Echo| asker.session == session && stanza.id.is_some();
            told.id = asker.filter(is_asker).and_then(|asker| asker.id.clone());
            self.show(turn, session, told);
        }
    }

    fn tell_silent_nick_change(&mut self, turn: &mut Turn<'_>, new: &Nick, asker: Option<&Echo>) {
        let gone = renamed(self.stay.own.without_claims(), new).from(self.base.me.occupant());
        self.tell_nick_change(turn, &gone, asker);
        self.rename(turn, new.clone(), asker);
    }

    fn rename(&mut self, turn: &mut Turn<'_>, nick: Nick, asker: Option<&Echo>) {
        log::debug!("{} is now {nick} in {}", self.base.me.account, self.base.me.room);
        self.base.follow(&self.base.me.nick.clone(), &nick);
        self.base.room.roster.remove(&nick);
        self.base.room.history.note_renamed(&self.base.me.nick, &nick);
        self.base.end_aliases(&nick);
        self.base.me.rename(nick, asker.map(|asker| asker.session), turn);
        if let Some(asker) = asker {
            self.retire_alias(turn, asker.session);
        }
    }

    /// The account has the nick that a session asked for.
    pub(super) fn nick_changed(&mut self, turn: &mut Turn<'_>, wish: NickWish) {
        let asker = wish.session;
        self.stay.own.note_renamed();
        self.answer_wish(turn, wish, true);
        for session in self.base.shown_sessions() {
            if Some(session) != asker {
                self.show_own_to(turn, session, true);
            }
        }
    }

    /// Answers the session that asked for the nick that the account has. mcabber asks by a join, and a stock
    /// room then shows it the room.
    pub(super) fn answer_wish(&mut self, turn: &mut Turn<'_>, wish: NickWish, renamed: bool) {
        let Some(echo) = wish.echo() else { return };
        let session = echo.session;
        let Some(ask) = wish.ask else { return self.show_echoes(turn, &[echo], renamed) };
        self.base.finish_replay(turn, session);
        if let Some(attachment) =
            self.base.sessions.get_mut(session).filter(|attachment| attachment.is_live())
        {
            attachment.stage = Stage::Waiting(ask);
            if !self.session_needs_log(turn, session) && !self.base.lacks_history(turn, session) {
                self.start_replay(turn, session);
            }
        }
    }

    /// No answer to a nick change: a self-ping of the new nick tells whether it is ours, unless somebody else
    /// has it (N4).
    pub(super) fn ask_for_nick(&mut self, turn: &mut Turn<'_>, wish: NickWish) {
        if self.base.room.roster.has(&wish.nick) {
            return self.nick_unanswered(turn, &wish);
        }
        let id = turn.fresh_id();
        turn.send(check::self_ping(&self.base.me, &wish.nick, &id));
        self.stay.upstream.await_ping_of_nick(id, wish, turn);
    }

    /// Takes the answer to a self-ping of a nick that was asked for; false if it is none.
    pub(super) fn nick_asked_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let Some(wish) = self.stay.upstream.take_asked_nick(answer) else { return false };
        if check::says_in(answer) && !self.base.room.roster.has(&wish.nick) {
            self.adopt_nick(turn, wish);
        } else {
            self.nick_unanswered(turn, &wish);
        }
        true
    }

    /// The nick that the room never confirmed is ours: all are told as if it had (N4).
    fn adopt_nick(&mut self, turn: &mut Turn<'_>, wish: NickWish) {
        self.tell_silent_nick_change(turn, &wish.nick, wish.echo().as_ref());
        self.stay.own.amend(|shown| shown.from(self.base.me.occupant()));
        self.nick_changed(turn, wish);
    }

    /// The nick stays. The session that asked for another is told, and a check verifies the old nick.
    pub(super) fn nick_unanswered(&mut self, turn: &mut Turn<'_>, wish: &NickWish) {
        self.refuse_nick(turn, wish, StanzaError::JOIN_TIMEOUT);
        self.suspect(turn);
    }
}

/// What a room says when the occupant of that presence takes another nick.
pub(super) fn renamed(own: Stanza, new: &Nick) -> Stanza {
    let mut gone = own;
    gone.kind = Kind::Presence(PresenceType::Unavailable);
    gone.id = None;
    retain_codes(&mut gone, |_| false);
    if let Some(x) = gone.children.iter_mut().find(|child| child.is("x", NS_MUC_USER)) {
        for item in x.elements_mut() {
            item.set_attribute("nick", Some(new.as_str()));
        }
    }
    add_code(&mut gone, status::NICK_CHANGE);
    gone
}
