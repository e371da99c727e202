//! Sessions that are in the room by themselves, beside the account or instead of it: on a service that
//! refuses bare JIDs (design decision 1), since before the module was loaded, or in a group call. The account
//! can adopt such a session (X5), and can hand all sessions back (X4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::base::Base;
use super::phase::Stay;
use crate::config::limit;
use crate::event::{Action, SessionId, Verdict};
use crate::services::Finding;
use crate::sessions::{Attachment, Stage};
use crate::turn::Turn;
use crate::xmpp::delay;
use crate::xmpp::jid::{FullJid, Jid, Nick};
use crate::xmpp::kinds::is_private;
use crate::xmpp::muc::{Departure, MucUser, NS_MUC, asks_to_join, status};
use crate::xmpp::stanza::{Element, IqType, Kept, Kind, MessageType, PresenceType, Stanza};

/// What sessions do with the room by themselves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Directs(BTreeMap<SessionId, Direct>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Direct {
    jid: FullJid,
    nick: Nick,
    state: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Standing {
    /// It joins because the account could not.
    Trying { until_ms: u64 },
    /// It is in.
    In,
    /// It is in, and has asked to join again: the account takes over.
    Adopting,
    /// The account has taken over; what the room still says to the session is swallowed.
    Withdrawing { until_ms: u64 },
    /// It hides or has ended, and Prosody tells the room.
    Leaving { until_ms: u64 },
}

impl Standing {
    /// When the state ends by itself; never, if only the session ends it.
    fn until_ms(self) -> Option<u64> {
        match self {
            Self::Trying { until_ms } | Self::Withdrawing { until_ms } | Self::Leaving { until_ms } => {
                Some(until_ms)
            }
            Self::In | Self::Adopting => None,
        }
    }
}

impl Directs {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn remove(&mut self, session: SessionId) {
        self.0.remove(&session);
    }

    /// The session hides or has ended. The leave that Prosody sends for it then passes: it is the session's own.
    pub(super) fn note_end(&mut self, turn: &Turn<'_>, session: SessionId) {
        let until_ms = turn.after(limit::WITHDRAW_MS);
        let direct = self.0.get_mut(&session);
        if let Some(direct) = direct.filter(|direct| !matches!(direct.state, Standing::Withdrawing { .. })) {
            direct.state = Standing::Leaving { until_ms };
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.0.values().filter_map(|direct| direct.state.until_ms()).min()
    }

    pub(super) fn expire(&mut self, turn: &Turn<'_>) {
        self.0.retain(|_, direct| direct.state.until_ms().is_none_or(|until_ms| !turn.is_due(until_ms)));
    }

    fn is_adopting(&self, session: SessionId) -> bool {
        self.0.get(&session).is_some_and(|direct| direct.state == Standing::Adopting)
    }

    fn by_address(&mut self, jid: &Jid) -> Option<(SessionId, &mut Direct)> {
        let found = self.0.iter_mut().find(|(_, direct)| direct.jid.as_jid() == jid);
        found.map(|(session, direct)| (*session, direct))
    }
}

impl Base {
    /// The session is, or will be, in by itself.
    fn note_direct(&mut self, session: SessionId, jid: FullJid, nick: Nick) {
        self.directs.0.insert(session, Direct { jid, nick, state: Standing::In });
    }

    /// Whether any session is in by itself.
    pub(super) fn has_directs(&self) -> bool {
        !self.directs.is_empty()
    }

    /// Decides about a stanza of a session that is in by itself. Gives nothing if the session is not.
    pub(super) fn sent_directly(&mut self, session: SessionId, stanza: &Stanza) -> Option<Verdict> {
        let direct = self.directs.0.get_mut(&session)?;
        match direct.state {
            Standing::Adopting | Standing::Withdrawing { .. } => return None,
            Standing::Leaving { .. } if stanza.kind != Kind::Presence(PresenceType::Unavailable) => {
                self.directs.remove(session); // it is back
                return None;
            }
            Standing::In if asks_to_join(stanza) && stanza.target_nick().is_some() => {
                direct.state = Standing::Adopting;
                return None;
            }
            Standing::In | Standing::Trying { .. } | Standing::Leaving { .. } => {}
        }
        match stanza.kind {
            Kind::Presence(PresenceType::Unavailable) => self.directs.remove(session),
            Kind::Presence(PresenceType::Available) => {
                direct.nick = stanza.target_nick().unwrap_or_else(|| direct.nick.clone());
            }
            Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => {}
        }
        Some(Verdict::Pass("the session is in by itself"))
    }

    /// The account is in, or the session leaves before it is: a session that it adopts withdraws (X5).
    pub(super) fn withdraw(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let until_ms = turn.after(limit::WITHDRAW_MS);
        let id = turn.fresh_id();
        let Some(direct) = self.directs.0.get_mut(&session) else { return };
        if direct.state != Standing::Adopting {
            return;
        }
        direct.state = Standing::Withdrawing { until_ms };
        let leave = Stanza::new(Kind::Presence(PresenceType::Unavailable))
            .from(direct.jid.as_jid().clone())
            .to(self.me.room.occupant(&direct.nick))
            .id(Some(&id));
        turn.act(Action::SendAs { session: direct.jid.clone(), stanza: Kept::own(leave) });
    }

    /// The room does not take the account, but has the session: it goes on by itself. False if it is not in.
    pub(super) fn gives_up_adopting(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stay: Option<&mut Stay>,
    ) -> bool {
        let is_adopting = self.directs.is_adopting(session);
        if is_adopting {
            self.join_directly(turn, session, Standing::In, stay);
        }
        is_adopting
    }

    /// The room refuses the bare JID or the nick: the session's own join tells which (R5).
    pub(super) fn try_directly(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let until_ms = turn.after(limit::WITHDRAW_MS);
        self.join_directly(turn, session, Standing::Trying { until_ms }, None);
    }

    /// The service has let the account in and shown it nothing: it is *direct* (biboumi). The account has left
    /// it before the sessions join, since biboumi shows its leave to all of them.
    pub(super) fn go_direct(&mut self, turn: &mut Turn<'_>) {
        log::debug!("{} shows the account nothing: its sessions join by themselves", self.me.room);
        turn.find_service(Finding::IsDirect);
        self.all_join_directly(turn, None);
    }

    fn all_join_directly(&mut self, turn: &mut Turn<'_>, mut stay: Option<&mut Stay>) {
        for session in self.sessions.all() {
            self.join_directly(turn, session, Standing::In, stay.as_deref_mut());
        }
    }

    /// The session's own join goes up, and what it has sent since.
    fn join_directly(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        state: Standing,
        stay: Option<&mut Stay>,
    ) {
        let Some(attachment) = self.detach(turn, session, stay) else { return };
        let join = self.join_of(turn, &attachment);
        let jid = attachment.jid.clone();
        let sent: Vec<_> = std::iter::once(join).chain(attachment.into_held()).collect();
        let Some(nick) = sent.iter().rev().find_map(nick_asked) else { return };
        self.directs.0.insert(session, Direct { jid: jid.clone(), nick, state });
        for stanza in sent {
            turn.act(Action::SendAs { session: jid.clone(), stanza });
        }
    }

    fn join_of(&self, turn: &mut Turn<'_>, attachment: &Attachment) -> Kept {
        if let Stage::Waiting(ask) = &attachment.stage {
            return ask.join.clone();
        }
        let id = turn.fresh_id();
        let seen_ms = self.room.history.newest_ms().map_or(turn.now.utc_ms, |newest_ms| newest_ms + 1_000);
        let missed = Element::build("history", NS_MUC).attribute("since", &delay::format(seen_ms)).done();
        let mut join = Stanza::clone(&attachment.presence)
            .from(attachment.jid.as_jid().clone())
            .to(self.me.occupant())
            .id(Some(&id));
        join.children.push(Element::build("x", NS_MUC).child(missed).done());
        Kept::own(join)
    }
}

impl Occupancy {
    /// The session joins by itself, also if it has been in through the account (J28).
    pub(crate) fn joins_by_itself(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        jid: FullJid,
        nick: Nick,
    ) {
        self.session_hides(turn, session);
        self.base.note_direct(session, jid, nick);
    }

    /// The session is in by itself.
    pub(crate) fn goes_direct(&mut self, session: SessionId, jid: FullJid, nick: Nick) {
        self.base.note_direct(session, jid, nick);
    }

    /// Whether stanzas to full JIDs matter.
    pub(crate) fn speaks_to_sessions(&self) -> bool {
        self.base.has_directs() || self.base.room_archive.has_asked()
    }

    /// The room sent a stanza to the full JID of a session.
    pub(crate) fn room_sent_to_session(&mut self, turn: &mut Turn<'_>, stanza: &Stanza) -> Verdict {
        if stanza.kind == Kind::Iq(IqType::Error) && self.base.archive_refused(turn, stanza, self.is_in()) {
            return Verdict::Handled;
        }
        let occupant = MucUser::read(stanza);
        let Some((session, direct)) = stanza.to.as_ref().and_then(|to| self.base.directs.by_address(to))
        else {
            return Verdict::Pass("the session is not in by itself");
        };
        let is_own = occupant.has(status::SELF) && !occupant.has(status::NICK_CHANGE);
        let is_live = matches!(stanza.kind, Kind::Presence(_) | Kind::Message(MessageType::Groupchat))
            || is_private(stanza); // the room sends it to every address of an occupant (§7.2.8)
        let is_presence = matches!(stanza.kind, Kind::Presence(_));
        let state = direct.state;
        match (stanza.kind, state) {
            (Kind::Presence(PresenceType::Unavailable), _) if is_own => self.base.directs.remove(session),
            (Kind::Presence(PresenceType::Error), Standing::Trying { .. }) => {
                self.base.directs.remove(session);
            }
            (Kind::Presence(PresenceType::Available), Standing::Trying { .. }) if is_own => {
                direct.state = Standing::In;
                turn.find_service(Finding::IsDirect);
            }
            _ => {}
        }
        match state {
            Standing::Withdrawing { .. } if is_live => Verdict::Handled,
            Standing::Adopting if is_presence => Verdict::Handled,
            Standing::Trying { .. }
            | Standing::In
            | Standing::Adopting
            | Standing::Withdrawing { .. }
            | Standing::Leaving { .. } => Verdict::Pass("the session is in by itself"),
        }
    }

    /// The account gives the room back to its sessions: each joins by itself under the same nick, then the
    /// account leaves, and nobody sees a leave (X4).
    pub(crate) fn hand_back(&mut self, turn: &mut Turn<'_>) {
        self.stop_inquiry();
        if !self.is_occupied() {
            return;
        }
        let (base, stay) = self.parts();
        base.all_join_directly(turn, stay);
        self.depart(turn, Departure::Left, None);
    }
}

/// The nick that a presence asks for.
fn nick_asked(stanza: &Kept) -> Option<Nick> {
    stanza.target_nick().filter(|_| stanza.kind == Kind::Presence(PresenceType::Available))
}

/// Whether a join carries what differs from session to session, so that no account can do it (J28).
pub(crate) fn is_of_one_session(join: &Stanza) -> bool {
    join.has("muji", "http://telepathy.freedesktop.org/muji") || join.has("muji", "urn:xmpp:jingle:muji:0")
}
