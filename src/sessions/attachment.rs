//! A session that is attached: what it has seen of the room, and what it has sent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::pending::backlog::Backlog;
use crate::room::request::HistoryRequest;
use crate::turn::Turn;
use crate::xmpp::cost::Cost;
use crate::xmpp::jid::{FullJid, Nick};
use crate::xmpp::muc::{asks_to_join, sets_subject};
use crate::xmpp::stanza::{Element, Kept, Kind, MessageType, PresenceType, Stanza};

/// A session that is in the room through the account, or about to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) jid: FullJid,
    /// Its last presence to the room, as others may see it.
    pub(crate) presence: Kept,
    /// When it sent it, by the count of all presences.
    pub(super) order: u64,
    pub(crate) alias: Option<Alias>,
    pub(crate) stage: Stage,
    /// What it has sent before it was shown the whole room (M3).
    held: Backlog,
    pub(crate) connection: Connection,
}

/// The nick that a session takes for its own though the account has another (J7).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) nick: Nick,
    /// Whether it has been shown an occupant of that name.
    pub(crate) is_shown: bool,
}

/// What is known of a session's stream (XEP-0198).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Connection {
    /// It has not been interrupted.
    #[default]
    Steady,
    /// It broke, and may be resumed.
    Broken,
    /// It broke and was resumed.
    Resumed { at_ms: u64 },
}

impl Connection {
    /// Whether the session may not know yet what happened meanwhile (design decision 5).
    pub(crate) fn was_just_resumed(self, turn: &Turn<'_>) -> bool {
        matches!(self, Self::Resumed { at_ms } if turn.since(at_ms) < limit::RESUMED_MS)
    }
}

/// What a session has seen of the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Nothing since it asked.
    Waiting(Ask),
    /// A part.
    Replaying(Replay),
    /// Everything.
    Live,
}

/// A join that is not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The join as the session sent it.
    pub(crate) join: Kept,
    pub(crate) nick: Nick,
    pub(crate) history: HistoryRequest,
    /// Whether the room was created by this join (J9).
    pub(crate) created: bool,
    /// What has come since and is shown after the subject (J2, P3).
    pub(crate) later: Backlog,
    /// What came for it alone and is shown before the occupants (J23).
    pub(crate) first: Backlog,
    /// Whether the room has been asked for the affiliation versions that it wants (J22).
    pub(crate) versions_told: bool,
    pub(crate) resync: ResyncFor,
    pub(crate) search: SearchFor,
    #[serde(default)]
    pub(crate) log: LogFor,
}

/// How far the room has been asked, by a resync, for what the copy cannot answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResyncFor {
    /// It need not be asked.
    #[default]
    Nothing,
    /// It has to be.
    Wished,
    /// It has been.
    Asked,
    /// It has answered.
    Answered,
    /// It has not. The copy has to do, if the account is still in.
    Unanswered,
}

/// How far the room's archive has been asked for what the copy lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SearchFor {
    /// It has not.
    #[default]
    Nothing,
    /// It has been.
    Asked,
    /// It has shown what it has, or a part of that.
    Found,
    /// It has shown nothing. What the room shows has to do.
    Failed,
}

/// How far the log of the room has been read for what the copy lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LogFor {
    /// It has not been.
    #[default]
    Nothing,
    /// It is being read.
    Asked,
    /// It has been, or can't be: the room has to do for the rest.
    Read,
}

/// A room that is being shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replay {
    queue: VecDeque<Kept>,
    /// What that cost which has joined the end of the queue.
    tail: usize,
}

impl Replay {
    /// The next so many stanzas, and whether they are the last.
    pub(crate) fn take(&mut self, most: usize) -> (Vec<Kept>, bool) {
        let count = self.queue.len().min(most);
        (self.queue.drain(..count).collect(), self.queue.is_empty())
    }

    /// Forgets what is not wanted any more.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Kept) -> bool) {
        self.queue.retain(wanted);
    }

    /// Adds to the end what happens meanwhile. False if that has become too much to be kept.
    pub(crate) fn add(&mut self, turn: &mut Turn<'_>, stanza: Kept) -> bool {
        let cost = stanza.cost();
        self.queue.push_back(stanza);
        self.tail += cost;
        turn.note_waiting(cost);
        self.tail <= turn.most(self.tail, limit::TAIL_COST)
    }
}

impl Cost for Ask {
    fn outside(&self) -> usize {
        self.join.outside() + self.nick.outside() + self.waiting_cost()
    }
}

impl Ask {
    fn waiting_cost(&self) -> usize {
        self.later.cost() + self.first.cost()
    }

    /// Keeps a message that comes while the session waits, to be shown after the subject. Presences and subject
    /// are part of what it is shown anyway. If there is too much, the oldest groupchat messages are no
    /// news any more, but history. False if it is not kept.
    pub(crate) fn keep_for_later(&mut self, turn: &mut Turn<'_>, stanza: &Kept) -> bool {
        let is_groupchat = |message: &Kept| message.kind == Kind::Message(MessageType::Groupchat);
        let is_live = match stanza.kind {
            Kind::Message(MessageType::Groupchat) => !sets_subject(stanza),
            Kind::Message(_) => true,
            Kind::Presence(_) | Kind::Iq(_) => false,
        };
        is_live && turn.keep_newest(&mut self.later, limit::LATER_COST, stanza.share(), is_groupchat)
    }

    /// Keeps the answer to something that the session sent before this join.
    pub(crate) fn keep_answer(&mut self, turn: &mut Turn<'_>, answer: Stanza) {
        if !turn.keep(&mut self.later, limit::LATER_COST, Kept::without_to(answer)) {
            log::debug!("an answer is too much to be kept for a session that waits");
        }
    }

    /// Nothing of an earlier join of the same session gets lost.
    fn take_over(&mut self, before: &mut Self) {
        self.later.append(&mut before.later);
        self.first.append(&mut before.first);
        self.created |= before.created;
        self.versions_told |= before.versions_told;
    }

    /// Forgets the groupchat messages of a stay that has ended: they are history, if anything.
    pub(crate) fn forget_groupchat(&mut self) {
        self.later.retain(|message: &Kept| message.kind != Kind::Message(MessageType::Groupchat));
    }

    /// The password that came with the join.
    pub(crate) fn password(&self) -> Option<String> {
        let x = self.join.find("x", crate::xmpp::muc::NS_MUC)?;
        x.find("password").map(Element::text)
    }
}

impl Attachment {
    /// What one costs without its address and its presence.
    pub(super) const COST: usize = size_of::<Self>();

    /// About how many bytes it costs, without what waits for it.
    pub(super) fn cost(&self) -> usize {
        Self::COST + self.presence.cost() + self.jid.outside()
    }

    /// A session that asks to join; its presence is the latest of all, by that count.
    pub(super) fn new(jid: FullJid, presence: Kept, order: u64, ask: Ask) -> Self {
        let stage = Stage::Waiting(ask);
        let (held, connection) = (Backlog::default(), Connection::default());
        Self { jid, presence, order, alias: None, stage, held, connection }
    }

    /// It asks to join once more; what it has sent meanwhile stays held.
    pub(super) fn ask_anew(&mut self, presence: Kept, order: u64, mut ask: Ask) {
        if let Stage::Waiting(before) = &mut self.stage {
            ask.take_over(before);
            self.outdate_held(&presence, &ask.join);
        }
        self.presence = presence;
        self.order = order;
        self.stage = Stage::Waiting(ask);
    }

    /// Whether it is shown what happens in the room as it happens.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    /// Whether the session takes that nick for the account's: it is its alias, or what it asks for.
    pub(crate) fn means_account_by(&self, nick: &Nick) -> bool {
        self.alias.as_ref().is_some_and(|alias| alias.nick == *nick)
            || self.ask().is_some_and(|ask| ask.nick == *nick)
    }

    /// Starts to show it the room. It knows the account by that alias.
    pub(crate) fn begin_replay(&mut self, queue: VecDeque<Kept>, alias: Option<Nick>) {
        self.stage = Stage::Replaying(Replay { queue, tail: 0 });
        let before = self.alias.take();
        let is_shown = |nick: &Nick| before.is_some_and(|before| before.is_shown && before.nick == *nick);
        self.alias = alias.map(|nick| Alias { is_shown: is_shown(&nick), nick });
    }

    /// The stay that it waited to be shown has ended.
    pub(super) fn forget_stay(&mut self) {
        self.alias = None;
        if let Stage::Waiting(ask) = &mut self.stage {
            ask.forget_groupchat();
            (ask.resync, ask.log) = (ResyncFor::Nothing, LogFor::Nothing);
        }
    }

    /// What it has sent before it was shown the whole room.
    pub(crate) fn into_held(self) -> Backlog {
        self.held
    }

    /// Whether a join to that nick takes the place of the one that is not answered yet (J12).
    pub(crate) fn asks_the_same_again(&self, nick: &Nick) -> bool {
        self.ask().is_some_and(|ask| ask.nick == *nick) && !self.held.iter().any(|held| asks_to_join(held))
    }

    /// What it has said of itself is older than its new join: it is answered, and changes nothing.
    fn outdate_held(&mut self, presence: &Stanza, join: &Stanza) {
        self.held.replace(|held| {
            let mut same = presence.clone().id(held.id.as_deref());
            (same.from, same.to) = (join.from.clone(), join.to.clone());
            (held.kind == Kind::Presence(PresenceType::Available)).then(|| Kept::own(same))
        });
    }

    /// Takes out the first stanza that is held, if its turn has come.
    pub(super) fn next_held(&mut self) -> Option<Kept> {
        if self.is_live() { self.held.pop_front() } else { None }
    }

    /// Takes out the joins that are held.
    pub(crate) fn take_held_joins(&mut self) -> Vec<Kept> {
        self.held.take(|held| asks_to_join(held))
    }

    /// The join that is not answered yet.
    pub(crate) fn ask(&self) -> Option<&Ask> {
        match &self.stage {
            Stage::Waiting(ask) => Some(ask),
            Stage::Replaying(_) | Stage::Live => None,
        }
    }

    /// Keeps what the session sends until its join is answered; false if that is too much.
    pub(crate) fn hold(&mut self, turn: &mut Turn<'_>, stanza: Kept) -> bool {
        turn.keep(&mut self.held, limit::HELD_COST, stanza)
    }

    /// Holds again what was held before.
    pub(crate) fn hold_on(&mut self, stanza: Kept) {
        self.held.push(stanza);
    }

    /// About how many bytes wait with it.
    pub(crate) fn waiting_cost(&self) -> usize {
        let for_it = match &self.stage {
            Stage::Waiting(ask) => ask.waiting_cost(),
            Stage::Replaying(replay) => replay.tail,
            Stage::Live => 0,
        };
        self.held.cost() + for_it
    }
}
