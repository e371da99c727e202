//! A session asks to join (XEP-0045 §7.2): the account joins, or is in already and the session attaches.

use super::Occupancy;
use super::base::Base;
use super::joining::{Joining, Request};
use super::past::Past;
use super::phase::{In, Phase};
use crate::config::limit;
use crate::event::{SessionId, Verdict};
use crate::pending::backlog::Backlog;
use crate::room::request::{Asked, HistoryRequest};
use crate::room::self_presence::client_payload;
use crate::sessions::{Ask, Attachment, LogFor, ResyncFor, SearchFor};
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{FullJid, Nick};
use crate::xmpp::muc::{NS_MUC, NS_MUC_USER, asks_to_join};
use crate::xmpp::stanza::{Element, Kept, NS_CLIENT, Node, PresenceType, Stanza};

/// What clients usually say of themselves in a presence, and is short.
const USUAL: [(&str, &str); 4] = [
    ("show", NS_CLIENT),
    ("priority", NS_CLIENT),
    ("c", "http://jabber.org/protocol/caps"),
    ("x", "vcard-temp:x:update"),
];

impl Occupancy {
    pub(super) fn join_asked(&mut self, turn: &mut Turn<'_>, session: SessionId, join: &Stanza) -> Verdict {
        let Some((jid, ask)) = Ask::read(turn, join) else {
            return Verdict::Pass("a join without a nick"); // the room's to refuse, no state is left (J10)
        };
        let replaces = |attachment: &Attachment| attachment.asks_the_same_again(&ask.nick);
        if self.base.is_early(session) && !self.base.sessions.get(session).is_some_and(replaces) {
            self.base.hold(turn, session, join);
            return Verdict::Handled;
        }
        match &mut self.phase {
            Phase::Out(_) => {
                self.base.attach(session, jid, ask);
                self.try_join(turn, session);
            }
            // It shares the join that is under way; one that asks again is answered under its last id (J12, J13).
            Phase::Joining(_) => self.base.attach(session, jid, ask),
            Phase::In(stay) if stay.attendance.leave_waits() && ask.nick != self.base.me.nick => {
                self.send_waiting_leave(turn); // it goes first (L3)
                self.base.attach(session, jid, ask);
                self.try_join(turn, session);
            }
            Phase::In(stay) => In { stay, base: &mut self.base }.join_asked(turn, session, jid, ask),
        }
        Verdict::Handled
    }

    /// The account's own join goes up as that session's would (J13, J15).
    pub(super) fn try_join(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        let Some(attachment) = self.base.sessions.get(session) else { return };
        let Some(ask) = attachment.ask() else { return };
        let id = turn.fresh_id();
        self.base.me.nick = ask.nick.clone();
        let mut join = self.base.me.presence(PresenceType::Available, &id);
        join.attributes.clone_from(&ask.join.attributes);
        let history = self.base.asks_history(turn);
        join.children = account_payload(&ask.join, &history.element());
        self.base.sessions.avatar.put_into(turn.profile, &mut join.children);
        let sent = self.base.sessions.presence_of(attachment, turn.profile);
        let is_as_sent = sent.children == attachment.presence.children;
        let sent = if is_as_sent { attachment.presence.clone() } else { Kept::own(sent) };
        let request = Request {
            id,
            asked_by: Some(session),
            nick: ask.nick.clone(),
            password: ask.password(),
            sent,
            history,
            is_reflected: false,
        };
        self.begin_joining(turn, request);
        self.base.sessions.begin_with(session);
        self.base.note_versions_asked(session);
        turn.send(join);
    }

    /// The account's own join is about to go up.
    pub(super) fn begin_joining(&mut self, turn: &Turn<'_>, request: Request) {
        let past = Past { inquiry: None, ..self.take_past() };
        self.enter(Phase::Joining(Box::new(Joining::new(turn, request, past, &self.base.me.room))));
        log::debug!("{} asks to join {}", self.base.me.account, self.base.me.room);
    }
}

impl In<'_> {
    fn join_asked(&mut self, turn: &mut Turn<'_>, session: SessionId, jid: FullJid, mut ask: Ask) {
        let asks_again = self.base.sessions.get(session).is_some_and(Attachment::is_live);
        if asks_again && !self.base.resyncs(turn, session, &ask.nick) {
            self.wish_nick(turn, session, ask.nick.clone(), ask.join.id.clone(), Some(ask));
            return;
        }
        self.note_addressed(turn, session, Some(&ask.nick));
        if let Some(mut waiting) = self.stay.attendance.take_waiting_leave(|_| true) {
            ask.later.append(&mut waiting.private);
            self.notify_late(turn, waiting.notices);
        }
        self.base.attach(session, jid, ask);
    }
}

impl Base {
    /// What the account's own join asks for: as much as is kept, or more if a session wants more (H13).
    pub(super) fn asks_history(&self, turn: &Turn<'_>) -> Asked {
        let wanted = self.sessions.asks().map(|ask| ask.history.most(turn.config));
        Asked { most: wanted.chain([turn.config.history]).max(), since_ms: None }
    }

    /// Whether a join of an attached session to that nick only wants to see the room again (design decision 5):
    /// profanity rejoins after a resumption with the nick that it knew.
    fn resyncs(&self, turn: &Turn<'_>, session: SessionId, nick: &Nick) -> bool {
        let just_resumed =
            self.sessions.get(session).is_some_and(|attachment| attachment.connection.was_just_resumed(turn));
        self.is_own_nick(turn, session, nick) || (just_resumed && self.me.had(nick, turn))
    }

    /// Whether the session means the account by that nick: the real one, its alias, or a former one that it
    /// does not know to be former.
    pub(super) fn is_own_nick(&self, turn: &Turn<'_>, session: SessionId, nick: &Nick) -> bool {
        if *nick == self.me.nick {
            return true;
        }
        if self.room.roster.has(nick) {
            return false; // by now that is somebody else
        }
        let is_alias = self.sessions.get(session).is_some_and(|attachment| attachment.means_account_by(nick));
        is_alias || self.me.crossed(nick, session, turn)
    }
}

impl Ask {
    /// Reads a join: which session asks for what; nothing if it is none.
    pub(super) fn read(turn: &Turn<'_>, join: &Stanza) -> Option<(FullJid, Self)> {
        let jid = join.from.as_ref().and_then(FullJid::new)?;
        let ask = Self {
            join: Kept::own(join.clone()),
            nick: join.target_nick()?,
            history: HistoryRequest::read(join, turn.config),
            created: false,
            later: Backlog::default(),
            first: Backlog::default(),
            versions_told: false,
            resync: ResyncFor::Nothing,
            search: SearchFor::Nothing,
            log: LogFor::Nothing,
        };
        asks_to_join(join).then_some((jid, ask))
    }
}

/// The presence of a session as the room may be shown it.
pub(super) fn shown_presence(presence: &Stanza) -> Kept {
    let mut shown = Stanza::new(presence.kind).id(presence.id.as_deref());
    shown.attributes.clone_from(&presence.attributes);
    shown.children = client_payload(presence);
    if shown.cost() > limit::OWN_PRESENCE_COST {
        shown.attributes.clear();
        shown.children.retain(|child| is_usual(child) && child.cost() <= limit::OWN_PRESENCE_COST / 8);
    }
    Kept::own(shown)
}

/// Whether that is what clients usually say of themselves, and what the room acts upon.
fn is_usual(child: &Element) -> bool {
    USUAL.iter().any(|(name, namespace)| child.is(name, namespace))
}

/// The payload of the account's join: the session's, with the history that the account wants (H13), and
/// without what only a room may say (N9).
pub(super) fn account_payload(join: &Stanza, history: &Element) -> Vec<Element> {
    let mut children: Vec<Element> =
        join.children.iter().filter(|child| !child.is("x", NS_MUC_USER)).cloned().collect();
    for x in children.iter_mut().filter(|child| child.is("x", NS_MUC)) {
        x.nodes.retain(|node| !matches!(node, Node::Element(child) if child.is("history", NS_MUC)));
        x.nodes.push(Node::Element(history.clone()));
    }
    children
}
