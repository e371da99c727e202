//! A session's own name for the account (J7, design decision 5): it asked for that nick, the account has
//! another, and some clients never understand the 210 that tells so.

use super::base::Base;
use super::nick::renamed;
use super::phase::In;
use crate::event::SessionId;
use crate::room::self_presence::{add_code, name_session};
use crate::turn::Turn;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::status;

impl Base {
    /// The alias of a session that asked for that nick; none if it is the account's, or somebody has it.
    pub(super) fn alias_for(&self, nick: &Nick) -> Option<Nick> {
        (*nick != self.me.nick && !self.room.roster.has(nick)).then(|| nick.clone())
    }

    /// From whom a session is shown the account in answer to what it has sent. It is an occupant of that name
    /// to the session from then on.
    pub(super) fn use_alias(&mut self, session: SessionId) -> Option<Nick> {
        let alias = self.sessions.get_mut(session)?.alias.as_mut()?;
        alias.is_shown = true;
        Some(alias.nick.clone())
    }

    /// That nick means somebody, the account itself or another occupant: no session has it for an alias.
    pub(super) fn end_aliases(&mut self, nick: &Nick) {
        for (_, attachment) in self.sessions.iter_mut() {
            attachment.alias.take_if(|alias| alias.nick == *nick);
        }
    }
}

impl In<'_> {
    /// A session that addresses the real nick knows it.
    pub(super) fn note_addressed(&mut self, turn: &mut Turn<'_>, session: SessionId, nick: Option<&Nick>) {
        if nick == Some(&self.base.me.nick) {
            self.retire_alias(turn, session);
        }
    }

    /// The session knows the real nick: an occupant of the other name that it has been shown is told to have
    /// changed to that.
    pub(super) fn retire_alias(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let Some(attachment) = self.base.sessions.get_mut(session) else { return };
        let Some(alias) = attachment.alias.take().filter(|alias| alias.is_shown) else { return };
        let jid = attachment.jid.clone();
        let own = self.stay.own.without_claims();
        let mut gone = renamed(own, &self.base.me.nick).from(self.base.me.room.occupant(&alias.nick));
        name_session(&mut gone, &self.base.me.account, &jid);
        add_code(&mut gone, status::SELF);
        self.show(turn, session, gone);
    }
}
