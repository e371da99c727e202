//! The sessions that are attached to an occupancy, and what each of them is shown next.

mod avatar;
pub(crate) mod identity;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use self::avatar::Avatar;
use crate::bouncer::account::Profile;
use crate::config::limit;
use crate::event::SessionId;
use crate::room::history::HistoryRequest;
use crate::turn::Turn;
use crate::xmpp::delay::is_delayed;
use crate::xmpp::jid::{FullJid, Nick};
use crate::xmpp::muc::sets_subject;
use crate::xmpp::stanza::{Element, Kept, Kind, MessageType, NS_CLIENT, Node, Stanza};

/// The attached sessions, and which of them the room is shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sessions {
    attached: BTreeMap<SessionId, Attachment>,
    representative: Option<SessionId>,
    /// Counts what happens to them: a later presence has a higher count.
    changes: u64,
    pub(crate) avatar: Avatar,
}

/// A session that is in the room through the account, or about to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) jid: FullJid,
    /// What it last sent to the room, without what is not for others.
    pub(crate) presence: Kept,
    /// When it sent it, by the count of all presences.
    order: u64,
    /// The nick that it takes for its own though the account has another (J7).
    pub(crate) alias: Option<Nick>,
    pub(crate) stage: Stage,
    pub(crate) connection: Connection,
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
    /// What the session sent since (M3).
    pub(crate) held: Vec<Kept>,
    /// What came for it alone and is shown after the subject (P3).
    pub(crate) later: Vec<Kept>,
    /// What came for it alone and is shown before the occupants (J23).
    pub(crate) first: Vec<Kept>,
    /// Whether the room has been asked for the affiliation versions that it wants (J22).
    pub(crate) versions_told: bool,
}

/// A room that is being shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) queue: VecDeque<Kept>,
    /// What the session sent since it asked (M3).
    pub(crate) held: Vec<Kept>,
}

impl Ask {
    /// Keeps a message that comes while the session waits, to be shown after the subject. Presences, subject and
    /// history are part of what it is shown anyway.
    pub(crate) fn keep_for_later(&mut self, stanza: &Kept) {
        let is_live = match stanza.kind {
            Kind::Message(MessageType::Groupchat) => !sets_subject(stanza) && !is_delayed(stanza),
            Kind::Message(_) => true,
            Kind::Presence(_) | Kind::Iq(_) => false,
        };
        if is_live && self.later.len() < limit::LATER {
            self.later.push(stanza.share());
        }
    }

    /// What came in a stay that has ended is history, if anything.
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
    /// Whether it is shown what happens in the room as it happens.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    /// Whether its stream is up.
    pub(crate) fn is_awake(&self) -> bool {
        self.connection != Connection::Broken
    }

    /// Whether the session takes that nick for the account's: it is its alias, or what it asks for.
    pub(crate) fn means_account_by(&self, nick: &Nick) -> bool {
        self.alias.as_ref() == Some(nick) || self.ask().is_some_and(|ask| ask.nick == *nick)
    }

    /// It is shown the room, as one in which it knows the account by that alias; what it sent stays held.
    pub(crate) fn begin_replay(&mut self, queue: VecDeque<Kept>, alias: Option<Nick>) {
        let held = self.held_mut().map(std::mem::take).unwrap_or_default();
        self.stage = Stage::Replaying(Replay { queue, held });
        self.alias = alias;
    }

    /// The stay that it waited to be shown has ended.
    fn forget_stay(&mut self) {
        self.alias = None;
        if let Stage::Waiting(ask) = &mut self.stage {
            ask.forget_groupchat();
        }
    }

    /// What it has sent since it asked to join.
    pub(crate) fn into_held(mut self) -> Vec<Kept> {
        self.held_mut().map(std::mem::take).unwrap_or_default()
    }

    fn held_mut(&mut self) -> Option<&mut Vec<Kept>> {
        match &mut self.stage {
            Stage::Waiting(ask) => Some(&mut ask.held),
            Stage::Replaying(replay) => Some(&mut replay.held),
            Stage::Live => None,
        }
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
        let Some(held) = self.held_mut().filter(|held| held.len() < limit::HELD_BACK) else { return false };
        held.push(stanza);
        true
    }
}

impl Sessions {
    /// Attaches a session, or has an attached one ask anew; what it had sent meanwhile stays held.
    pub(crate) fn attach(&mut self, session: SessionId, jid: FullJid, presence: Kept, mut ask: Ask) {
        self.changes += 1;
        self.avatar.learn(&presence);
        let order = self.changes;
        if let Some(known) = self.attached.get_mut(&session) {
            match &mut known.stage {
                Stage::Waiting(before) => {
                    ask.held.append(&mut before.held);
                    ask.later.append(&mut before.later);
                    ask.created |= before.created;
                    ask.first.append(&mut before.first);
                    ask.versions_told |= before.versions_told;
                }
                Stage::Replaying(before) => ask.held.append(&mut before.held),
                Stage::Live => {}
            }
            known.presence = presence;
            known.order = order;
            known.stage = Stage::Waiting(ask);
            return;
        }
        let stage = Stage::Waiting(ask);
        let attachment =
            Attachment { jid, presence, order, alias: None, stage, connection: Connection::default() };
        self.attached.insert(session, attachment);
    }

    /// Takes in a presence that an attached session sent.
    pub(crate) fn update(&mut self, session: SessionId, presence: Kept) {
        self.changes += 1;
        self.avatar.learn(&presence);
        if let Some(attachment) = self.attached.get_mut(&session) {
            attachment.presence = presence;
            attachment.order = self.changes;
        }
    }

    /// What came for a waiting session before the occupants was of a stay that has ended.
    pub(crate) fn forget_first(&mut self) {
        for attachment in self.attached.values_mut() {
            if let Stage::Waiting(ask) = &mut attachment.stage {
                ask.first.clear();
            }
        }
    }

    pub(crate) fn detach(&mut self, session: SessionId) -> Option<Attachment> {
        self.changes += 1;
        if self.representative == Some(session) {
            self.representative = None;
        }
        self.attached.remove(&session)
    }

    /// Detaches all that have been shown the room, or a part of it, in order. Those that wait know nothing of it.
    pub(crate) fn detach_shown(&mut self) -> BTreeMap<SessionId, Attachment> {
        self.changes += 1;
        self.representative = None;
        let all = std::mem::take(&mut self.attached).into_iter();
        let (waiting, shown) = all.partition(|(_, attachment)| attachment.ask().is_some());
        self.attached = waiting;
        for attachment in self.attached.values_mut() {
            attachment.forget_stay();
        }
        shown
    }

    /// Notes what became of a session's stream.
    pub(crate) fn note_connection(&mut self, session: SessionId, connection: Connection) {
        if let Some(attachment) = self.attached.get_mut(&session) {
            attachment.connection = connection;
        }
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<&Attachment> {
        self.attached.get(&session)
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Attachment> {
        self.attached.get_mut(&session)
    }

    pub(crate) fn has(&self, session: SessionId) -> bool {
        self.attached.contains_key(&session)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.attached.is_empty()
    }

    /// All attached sessions.
    pub(crate) fn all(&self) -> Vec<SessionId> {
        self.attached.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Attachment)> {
        self.attached.iter().map(|(session, attachment)| (*session, attachment))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut Attachment)> {
        self.attached.iter_mut().map(|(session, attachment)| (*session, attachment))
    }

    /// How much has happened to them: while this is the same, the room need not be shown anything else.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether the join of any is not answered yet.
    pub(crate) fn any_waits(&self) -> bool {
        self.attached.values().any(|attachment| attachment.ask().is_some())
    }

    /// Whether any is being shown the room.
    pub(crate) fn any_is_shown_the_room(&self) -> bool {
        self.attached.values().any(|attachment| matches!(attachment.stage, Stage::Replaying(_)))
    }

    /// The sessions whose joins are not answered yet.
    pub(crate) fn waiting(&self) -> Vec<SessionId> {
        self.iter().filter(|(_, attachment)| attachment.ask().is_some()).map(|(session, _)| session).collect()
    }

    /// Chooses the session whose presence the room is shown: the best, and the present one as long as none is
    /// better (design decision 4).
    pub(crate) fn elect(&mut self) {
        let rank = |attachment: &Attachment| rank(&attachment.presence);
        let Some(best) = self.attached.values().map(rank).min() else { return };
        let stays = self.representative.filter(|session| self.get(*session).is_some_and(|a| rank(a) == best));
        self.representative = stays.or_else(|| {
            let equals = self.iter().filter(|(_, attachment)| rank(attachment) == best);
            equals.max_by_key(|(_, attachment)| attachment.order).map(|(session, _)| session)
        });
    }

    /// The session that was chosen.
    fn representative(&self) -> Option<&Attachment> {
        self.get(self.representative?)
    }

    /// The presence that the room is shown: the representative's, with the account's avatar (N10).
    pub(crate) fn shown(&self, profile: &Profile) -> Option<Kept> {
        let mut shown = Stanza::clone(&self.representative()?.presence);
        self.avatar.put_into(profile, &mut shown.children);
        Some(Kept::own(shown))
    }

    /// The session that answers for the account: the one the room is shown, but not a hibernating one while
    /// another is there (I5). One that is not shown the room yet is asked nothing.
    pub(crate) fn spokesman(&self) -> Option<SessionId> {
        let is_live = |session: &SessionId| self.get(*session).is_some_and(Attachment::is_live);
        let awake =
            |session: &SessionId| is_live(session) && self.get(*session).is_some_and(Attachment::is_awake);
        self.representative
            .filter(awake)
            .or_else(|| self.iter().map(|(session, _)| session).find(awake))
            .or_else(|| self.iter().map(|(session, _)| session).find(is_live))
    }
}

/// How available a presence says its sender is: less is better.
fn rank(presence: &Stanza) -> u8 {
    match presence.text_of("show").as_deref() {
        Some("chat") => 0,
        Some("dnd") => 2,
        Some("away") => 3,
        Some("xa") => 4,
        None | Some(_) => 1,
    }
}

/// The payload of the presence of an account without attached sessions.
pub(crate) fn nobody_there() -> Vec<Element> {
    vec![Element::build("show", NS_CLIENT).text("xa").done()]
}

/// Whether that is such a payload.
pub(crate) fn is_nobody_there(payload: &[Element]) -> bool {
    let [show] = payload else { return false };
    show.is("show", NS_CLIENT) && matches!(show.nodes.as_slice(), [Node::Text(text)] if &**text == "xa")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::jid::Jid;

    fn kept(show: &str) -> Kept {
        let show = if show.is_empty() { String::new() } else { format!("<show>{show}</show>") };
        Kept::own(Stanza::from_xml(&format!("<presence>{show}</presence>")).unwrap())
    }

    fn ask() -> Ask {
        Ask {
            join: kept(""),
            nick: Nick::new("alice"),
            history: HistoryRequest::default(),
            created: false,
            held: Vec::new(),
            later: Vec::new(),
            first: Vec::new(),
            versions_told: false,
        }
    }

    fn sessions(shows: &[&str]) -> Sessions {
        let mut sessions = Sessions::default();
        for (number, show) in (0..).zip(shows) {
            let jid = FullJid::new(&Jid::new(&format!("alice@example.org/{number}"))).unwrap();
            sessions.attach(SessionId(number), jid, kept(show), ask());
        }
        sessions
    }

    #[track_caller]
    fn represented(sessions: &mut Sessions) -> String {
        sessions.elect();
        sessions.representative().unwrap().jid.as_jid().resource().unwrap().to_owned()
    }

    #[test]
    fn the_best_presence_represents_the_account() {
        for (shows, best) in [
            (["away", "", "dnd"], "1"),
            (["chat", "", ""], "0"),
            (["xa", "away", "away"], "2"),
            (["dnd", "away", "xa"], "0"),
        ] {
            assert_eq!(represented(&mut sessions(&shows)), best, "{shows:?}");
        }
    }

    #[test]
    fn f28_a_presence_that_is_no_better_changes_nothing() {
        let mut sessions = sessions(&["", "away"]);
        assert_eq!(represented(&mut sessions), "0");
        sessions.update(SessionId(1), kept(""));
        assert_eq!(represented(&mut sessions), "0");
        sessions.update(SessionId(0), kept("away"));
        assert_eq!(represented(&mut sessions), "1");
    }

    #[test]
    fn i5_a_sleeping_session_does_not_answer_while_another_is_awake() {
        let mut sessions = sessions(&["", "away"]);
        for (_, attachment) in sessions.iter_mut() {
            attachment.stage = Stage::Live;
        }
        sessions.elect();
        assert_eq!(sessions.spokesman(), Some(SessionId(0)));
        if let Some(sleeper) = sessions.get_mut(SessionId(0)) {
            sleeper.connection = Connection::Broken;
        }
        assert_eq!(sessions.spokesman(), Some(SessionId(1)));
    }
}
