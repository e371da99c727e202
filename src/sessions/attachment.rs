//! A session that is attached: what it has seen of the room, and what it has sent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::room::request::HistoryRequest;
use crate::turn::Turn;
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
    held: VecDeque<Kept>,
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
    /// What came for it alone and is shown after the subject (P3).
    pub(crate) later: Vec<Kept>,
    /// What came for it alone and is shown before the occupants (J23).
    pub(crate) first: Vec<Kept>,
    /// Whether the room has been asked for the affiliation versions that it wants (J22).
    pub(crate) versions_told: bool,
    pub(crate) resync: ResyncFor,
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

/// A room that is being shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) queue: VecDeque<Kept>,
}

impl Ask {
    /// Keeps a live message that comes while the session waits, to be shown after the subject. Presences and subject
    /// are part of what it is shown anyway.
    pub(crate) fn keep_for_later(&mut self, stanza: &Kept) {
        let is_wanted = match stanza.kind {
            Kind::Message(MessageType::Groupchat) => !sets_subject(stanza),
            Kind::Message(_) => true,
            Kind::Presence(_) | Kind::Iq(_) => false,
        };
        if is_wanted && self.later.len() < limit::LATER {
            self.later.push(stanza.share());
        }
    }

    /// Keeps the answer to something that the session sent before this join.
    pub(crate) fn keep_answer(&mut self, answer: Stanza) {
        if self.later.len() < limit::LATER {
            self.later.push(Kept::without_to(answer));
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
        self.later.retain(|message| message.kind != Kind::Message(MessageType::Groupchat));
    }

    /// The password that came with the join.
    pub(crate) fn password(&self) -> Option<String> {
        let x = self.join.find("x", crate::xmpp::muc::NS_MUC)?;
        x.find("password").map(Element::text)
    }
}

impl Attachment {
    /// A session that asks to join; its presence is the latest of all, by that count.
    pub(super) fn new(jid: FullJid, presence: Kept, order: u64, ask: Ask) -> Self {
        let stage = Stage::Waiting(ask);
        let (held, connection) = (VecDeque::new(), Connection::default());
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
        self.stage = Stage::Replaying(Replay { queue });
        let before = self.alias.take();
        let is_shown = |nick: &Nick| before.is_some_and(|before| before.is_shown && before.nick == *nick);
        self.alias = alias.map(|nick| Alias { is_shown: is_shown(&nick), nick });
    }

    /// The stay that it waited to be shown has ended.
    pub(super) fn forget_stay(&mut self) {
        self.alias = None;
        if let Stage::Waiting(ask) = &mut self.stage {
            ask.forget_groupchat();
            ask.resync = ResyncFor::Nothing;
        }
    }

    /// What it has sent before it was shown the whole room.
    pub(crate) fn into_held(self) -> VecDeque<Kept> {
        self.held
    }

    /// Whether a join to that nick takes the place of the one that is not answered yet (J12).
    pub(crate) fn asks_the_same_again(&self, nick: &Nick) -> bool {
        self.ask().is_some_and(|ask| ask.nick == *nick) && !self.held.iter().any(|held| asks_to_join(held))
    }

    /// What it has said of itself is older than its new join: it is answered, and changes nothing.
    fn outdate_held(&mut self, presence: &Stanza, join: &Stanza) {
        let shows_itself = |held: &&mut Kept| held.kind == Kind::Presence(PresenceType::Available);
        for held in self.held.iter_mut().filter(shows_itself) {
            let mut same = presence.clone().id(held.id.as_deref());
            (same.from, same.to) = (join.from.clone(), join.to.clone());
            *held = Kept::own(same);
        }
    }

    /// Takes out the first stanza that is held, if its turn has come.
    pub(super) fn next_held(&mut self) -> Option<Kept> {
        if self.is_live() { self.held.pop_front() } else { None }
    }

    /// Takes out the joins that are held.
    pub(crate) fn take_held_joins(&mut self) -> Vec<Kept> {
        let (joins, others): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|held| asks_to_join(held));
        self.held = others.into();
        joins
    }

    /// The join that is not answered yet.
    pub(crate) fn ask(&self) -> Option<&Ask> {
        match &self.stage {
            Stage::Waiting(ask) => Some(ask),
            Stage::Replaying(_) | Stage::Live => None,
        }
    }

    /// Keeps what the session sends until its join is answered; false if there is no more room.
    pub(crate) fn hold(&mut self, stanza: Kept) -> bool {
        let has_room = self.held.len() < limit::HELD_BACK;
        if has_room {
            self.held.push_back(stanza);
        }
        has_room
    }
}
