//! In whose name the other modules of the host are shown what comes from the room, before it is taken in (F29, F34).

use super::Occupancy;
use super::base::Base;
use super::phase::Phase;
use crate::event::{SessionId, ShownFor};
use crate::xmpp::jid::{FullJid, Jid, bare_part};
use crate::xmpp::kinds::{declines, is_for_the_account, is_own_presence, is_reply};
use crate::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

impl Occupancy {
    /// A stock host shows what is for all as it comes for a session. Nobody is shown it here:
    ///
    /// - what is for one session alone, and is shown when that session gets it: own presences, errors, answers,
    /// - what a room sends to the bare JID: invitations, notices, what Prosody answers,
    /// - what comes from blocked occupants, since the copy follows them.
    pub(crate) fn shown_for(
        &self,
        from: &str,
        kind: Kind,
        read: impl FnOnce() -> Option<Stanza>,
    ) -> ShownFor {
        if !self.is_occupied() || is_reply(kind) || self.base.blocks(from) {
            return ShownFor::Nobody;
        }
        let is_taken_at_once = match kind {
            Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => {
                nick_of(from) == self.base.me.nick.as_str()
                    || (self.may_have_another_nick() && read().is_none_or(|stanza| is_own_presence(&stanza)))
            }
            Kind::Message(MessageType::Groupchat) => false,
            Kind::Message(_) => return self.message_shown_for(read()),
            Kind::Iq(IqType::Get | IqType::Set) => {
                let asked = read().and_then(|question| self.base.asked(&question, self.shown_session()));
                return asked.map_or(ShownFor::Nobody, ShownFor::Session);
            }
            Kind::Presence(_) | Kind::Iq(_) => true,
        };
        let stand_in = self.base.sessions.stand_in().filter(|_| !is_taken_at_once);
        stand_in.map_or(ShownFor::Nobody, ShownFor::Session)
    }

    /// A private message is shown even if nobody is attached: the account's archive sees it so.
    fn message_shown_for(&self, message: Option<Stanza>) -> ShownFor {
        let Some(message) = message else { return ShownFor::Nobody };
        let is_private = message.from.as_ref().and_then(Jid::resource).is_some();
        let is_for_session = is_private
            || !is_for_the_account(&message)
            || (self.is_in() && self.base.answers_session(&message));
        if !is_for_session || self.base.is_archive_result(&message) {
            return ShownFor::Nobody;
        }
        match self.base.sessions.stand_in() {
            Some(session) => ShownFor::Session(session),
            None if is_private => ShownFor::Absent,
            None => ShownFor::Nobody,
        }
    }

    /// Before the account is in, the room may give it another nick.
    fn may_have_another_nick(&self) -> bool {
        matches!(self.phase, Phase::Joining(_))
    }

    /// The session whose presence the room is shown.
    fn shown_session(&self) -> Option<SessionId> {
        match &self.phase {
            Phase::Out(_) => None,
            Phase::Joining(joining) => joining.request.asked_by,
            Phase::In(stay) => stay.upstream.sent_by,
        }
    }

    /// Whether the account blocks that address of the room.
    pub(crate) fn blocks(&self, from: &str) -> bool {
        self.base.blocks(from)
    }

    /// The session that stood for the account, since none is attached.
    pub(crate) fn last_stand_in(&self) -> Option<&FullJid> {
        self.base.sessions.last()
    }
}

impl Base {
    /// Whether a notice answers a session that has been shown the room: somebody declines its invitation (B3).
    pub(super) fn answers_session(&self, notice: &Stanza) -> bool {
        declines(notice) && !self.shown_sessions().is_empty()
    }

    /// Whether the account blocks that address of the room. Nobody is shown what comes from there, since the block list
    /// would drop or bounce it.
    pub(super) fn blocks(&self, from: &str) -> bool {
        !self.blocked.is_empty() && self.blocked.hides_nick(nick_of(from))
    }
}

fn nick_of(from: &str) -> &str {
    from.get(bare_part(from).len() + 1..).unwrap_or_default()
}
