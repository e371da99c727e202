//! The account's join is under way: the room is taken in and shown to nobody until it is complete (J31).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Occupancy;
use super::entry::Entry;
use super::held::Orphans;
use super::past::Past;
use super::phase::{Entering, In, JoinEnding, LetIn, Phase, Stay, StillJoining};
use super::unseen::Silence;
use super::upstream::Upstream;
use super::versions::tells_versions;
use crate::config::limit;
use crate::event::SessionId;
use crate::lazy::Lazy;
use crate::pending::backlog::Backlog;
use crate::room::Room;
use crate::room::history::History;
use crate::room::own::Own;
use crate::room::request::Asked;
use crate::services::Finding;
use crate::sessions::{Attachment, Stage};
use crate::turn::Turn;
use crate::xmpp::jid::{BareJid, Nick};
use crate::xmpp::muc::{Departure, MucUser, status};
use crate::xmpp::stanza::{IqType, Kept, Kind, MessageType, PresenceType, Stanza};

/// A join of the account that is not complete.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Joining {
    pub(super) request: Request,
    pub(super) entry: Entry,
    pub(super) silence: Silence,
    /// Messages that came before the occupants (J23).
    pub(super) early: Backlog,
    /// What sessions have sent that left or ended meanwhile (M3).
    pub(super) orphans: Orphans,
    /// Whether there is a copy of the room: it has said something.
    #[serde(default)]
    has_copy: bool,
    /// What stays remembered if the join fails.
    pub(super) past: Past,
}

/// The join that went up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: Box<str>,
    /// The session that asked for it; nobody, if a bookmark did.
    pub(super) asked_by: Option<SessionId>,
    pub(super) nick: Nick,
    pub(super) password: Option<String>,
    /// The presence in it.
    pub(super) sent: Kept,
    /// What it asks of the history.
    pub(super) history: Asked,
    /// Whether the room has answered under its id.
    pub(super) is_reflected: bool,
}

impl Joining {
    pub(super) fn new(turn: &Turn<'_>, request: Request, past: Past, room: &BareJid) -> Self {
        Self {
            request,
            entry: Entry::asked(turn, room),
            silence: Silence::default(),
            early: Backlog::default(),
            orphans: Orphans::default(),
            has_copy: false,
            past,
        }
    }

    /// When the room has fallen silent after it let the account in.
    pub(super) fn silent_ms(&self) -> Option<u64> {
        self.entry.silence_ms()
    }

    /// When a room that does not let the account in is given up.
    pub(super) fn unanswered_ms(&self) -> Option<u64> {
        let unanswered_ms = self.entry.unanswered_ms()?;
        Some(self.silence.human_until_ms().unwrap_or(unanswered_ms))
    }

    /// The room, or somebody in it, sends anything but an answer to a question: it is there, however slow.
    pub(super) fn note_sign_of_life(&mut self, turn: &mut Turn<'_>, stanza: &Stanza) {
        let shows_room = match stanza.kind {
            Kind::Iq(IqType::Result | IqType::Error) => return,
            Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error) => false,
            Kind::Presence(PresenceType::Unavailable) => !self.silence.retreats(), // it may only answer our leave
            Kind::Presence(_) | Kind::Message(_) | Kind::Iq(_) => true,
        };
        if shows_room {
            turn.find_service(Finding::ShowsRooms);
        }
        if shows_room || !self.silence.retreats() {
            self.entry.touch(turn);
        }
    }

    /// Keeps a message that came before the occupants (J23). If there is too much, the oldest are lost.
    pub(super) fn keep_early(&mut self, turn: &mut Turn<'_>, message: &Kept) {
        if !turn.keep_newest(&mut self.early, limit::EARLY_COST, message.share(), |_| true) {
            log::debug!("a message that came before the occupants is too large to be kept");
        }
    }

    /// The room says that the account is in, in answer to this join or perhaps to an earlier one (design decision
    /// 13). True if that lets this join in.
    fn own_came(&mut self, turn: &Turn<'_>, own: &Kept) -> bool {
        let was_let_in = self.entry.is_let_in();
        let reflects = own.id.as_deref() == Some(&self.request.id);
        self.request.is_reflected |= reflects;
        let is_answer = !self.silence.retreats() && (reflects || !self.past.is_stale());
        self.entry.own_came(turn, own, is_answer);
        let is_new = self.entry.is_let_in() && !was_let_in;
        if is_new {
            self.past.unanswered = None; // what is asked later is answered later
            self.past.crossed = None;
        }
        is_new
    }

    /// The account's presence, if the room has shown it.
    pub(super) fn own(&self) -> Option<Own> {
        let (shown, request) = (self.entry.own()?, &self.request);
        Some(Own::new(shown.clone(), request.sent.clone(), request.is_reflected))
    }

    /// Forgets an earlier stay, to which everything so far belonged.
    fn start_over(&mut self) {
        self.past.leave_answered();
        self.entry.start_over();
        self.early.clear();
    }

    /// Our presence of a resync that crossed with a removal, if the room has let the account in for it: then
    /// the account is in although this join is refused (J7).
    fn in_as(&self) -> Option<&Kept> {
        self.past.crossed.as_ref().filter(|_| self.entry.is_older())
    }

    /// Whether a session asks for the same as the join that went up.
    fn asks_the_same(&self, attachment: &Attachment) -> bool {
        let request = &self.request;
        attachment.ask().is_some_and(|ask| ask.nick == request.nick && ask.password() == request.password)
    }

    /// Whether a presence is from the nick of the stay that a leave of ours ends: until the room has answered
    /// that leave, nobody else has it.
    fn is_own_of_earlier_stay(&self, presence: &Stanza) -> bool {
        self.past.unanswered.is_some() && is_from_same(self.past.own.as_ref(), presence)
    }
}

impl Entering<'_> {
    pub(super) fn presence_came<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &'a Kept,
        presence_type: PresenceType,
    ) -> StillJoining<'a> {
        let occupant = MucUser::read(stanza);
        // before its 110 the nick that was asked for may be anybody's
        let is_self = occupant.has(status::SELF) || is_from_same(self.joining.entry.own(), stanza);
        let is_own = is_self || self.joining.is_own_of_earlier_stay(stanza);
        match presence_type {
            PresenceType::Available if is_self => return self.own_join_came(turn, stanza, &occupant),
            PresenceType::Available => {
                self.base.room.fold_presence(stanza);
            }
            PresenceType::Unavailable if is_own && !occupant.has(status::NICK_CHANGE) => {
                return self.removed(turn, stanza);
            }
            PresenceType::Unavailable => {
                self.base.room.fold_unavailable(stanza, &occupant);
                self.base.note_gone(turn, stanza, &occupant);
            }
            PresenceType::Error if self.base.answers_repetition(stanza, false) => {}
            PresenceType::Error => return self.join_refused(turn, stanza),
            PresenceType::Probe | PresenceType::Other => {}
        }
        ControlFlow::Continue(())
    }

    /// The room says that the account is in. Late traffic of an earlier stay is not taken for it (design
    /// decision 13).
    fn own_join_came<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        occupant: &MucUser,
    ) -> StillJoining<'a> {
        let Some(nick) = stanza.sender_nick() else { return ControlFlow::Continue(()) };
        let asked_by = self.joining.request.asked_by;
        let was_asked = self.joining.entry.is_asked();
        let is_new = self.joining.own_came(turn, stanza);
        let early = if was_asked || is_new { self.joining.early.clone() } else { Backlog::default() };
        if is_new {
            self.base.room.is_current = true;
            self.base.room.history = History::default(); // of an earlier join, which asked for less
            self.base.room.history.begin_fetch(self.joining.request.history);
        }
        for message in early {
            self.base.take_in_history(turn, &message); // for those who come later (J2)
        }
        self.base.room.roster.remove(&nick);
        self.base.me.nick = nick;
        self.base.room.is_entering = false;
        self.base.room.flags.fold(&occupant.codes);
        self.base.room.versioned |= tells_versions(stanza);
        if occupant.has(status::CREATED) { self.note_created(asked_by) } else { ControlFlow::Continue(()) }
    }

    /// The session whose join created the room configures it; if it has gone, another that waits (J9). A room that
    /// nobody asked for is left.
    fn note_created<'a>(&mut self, asked_by: Option<SessionId>) -> StillJoining<'a> {
        let asked_by_present = asked_by.filter(|session| self.base.sessions.has(*session));
        let creator = asked_by_present.or_else(|| self.base.sessions.waiting().first().copied());
        if asked_by.is_none() && creator.is_none() {
            return ControlFlow::Break(JoinEnding::Created);
        }
        let attachment = creator.and_then(|session| self.base.sessions.get_mut(session));
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = attachment {
            ask.created = true;
        }
        ControlFlow::Continue(())
    }

    /// The end of an earlier stay is forgotten with all that belonged to it; the end of this one is shown
    /// after the join that it ends.
    fn removed<'a>(&mut self, turn: &mut Turn<'_>, stanza: &'a Kept) -> StillJoining<'a> {
        if self.joining.entry.is_let_in() {
            return self.complete(turn, Some(stanza));
        }
        self.joining.start_over();
        self.base.sessions.forget_first();
        self.base.end_queries(turn);
        (self.base.room, self.joining.has_copy) = (Lazy::default(), false);
        ControlFlow::Continue(())
    }

    /// The room says something: a copy of it begins, if there is none.
    pub(super) fn begin_copy(&mut self) {
        if !std::mem::replace(&mut self.joining.has_copy, true) {
            self.base.room = Room::to_enter().into();
            self.base.room.history.begin_fetch(self.joining.request.history);
        }
    }

    /// The room is known, and the account is in; or it was, if that stanza has removed it.
    pub(super) fn complete<'a>(
        &mut self,
        turn: &Turn<'_>,
        removed_by: Option<&'a Stanza>,
    ) -> StillJoining<'a> {
        let Some(own) = self.joining.own() else { return ControlFlow::Continue(()) };
        let request = &mut self.joining.request;
        let upstream = Upstream::begun_by(request.asked_by);
        let asked = request.history;
        let password = request.password.take().map(Into::into);
        let is_bookmarked = turn.profile.bookmarks.holds(&self.base.me.room);
        let stay = Box::new(Stay { is_bookmarked, password, ..Stay::new(turn, own, upstream) });
        let (early, orphans) =
            (std::mem::take(&mut self.joining.early), std::mem::take(&mut self.joining.orphans));
        let let_in = Box::new(LetIn { stay, early, orphans, asked });
        ControlFlow::Break(JoinEnding::LetIn(let_in, removed_by))
    }

    /// The room refuses the join: the sessions that asked for the same are told (J13, J16, J17).
    fn join_refused<'a>(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> StillJoining<'a> {
        if error.id.as_ref().is_some_and(|id| *id != self.joining.request.id) {
            return ControlFlow::Continue(()); // it answers an earlier join
        }
        if let Some(sent) = self.joining.in_as().cloned() {
            self.joining.request.is_reflected = self.joining.entry.own().is_some_and(|own| own.id.is_some());
            self.joining.request.sent = sent;
            return self.complete(turn, None);
        }
        let same = |(session, attachment): (SessionId, &Attachment)| {
            self.joining.asks_the_same(attachment).then_some(session)
        };
        let refused: Vec<_> = self.base.sessions.iter().filter_map(same).collect();
        if error.error_condition() == Some("jid-malformed") {
            for session in refused {
                self.base.try_directly(turn, session);
            }
        } else {
            self.base.tell_refused(turn, error, refused, None);
        }
        self.refuse_orphans(turn);
        ControlFlow::Break(JoinEnding::Refused)
    }
}

impl In<'_> {
    /// The account has just been let in: waiting sessions are shown the room. Who wants more history than was asked for
    /// waits on, and so does who wants what the log may have of earlier stays.
    fn begin(&mut self, turn: &mut Turn<'_>, early: &Backlog, orphans: Orphans, asked: Asked) {
        self.release_orphans(turn, orphans);
        self.end_fetch(turn);
        self.begin_interval(turn);
        for ask in self.base.sessions.asks_mut() {
            ask.first.prepend(early);
        }
        for session in self.base.sessions.waiting() {
            let is_enough = asked.is_enough_for(self.base.wanted_history(turn, session));
            if self.session_needs_log(turn, session) {
                self.read_log(turn);
            } else if is_enough || !self.base.lacks_history(turn, session) {
                self.start_replay(turn, session);
            }
        }
        self.base.room.history.trim(turn.now, turn.config);
        self.forget_versions();
    }
}

impl Occupancy {
    /// The account is in; or it was, if that stanza has removed it.
    pub(super) fn begin_stay(&mut self, turn: &mut Turn<'_>, let_in: LetIn, removed_by: Option<&Stanza>) {
        let LetIn { mut stay, early, orphans, asked } = let_in;
        let me = &self.base.me;
        log::debug!("{} joins {} as {}", me.account, me.room, me.nick);
        let mut inside = In { stay: &mut stay, base: &mut self.base };
        inside.begin(turn, &early, orphans, asked);
        let still = match removed_by {
            Some(stanza) => inside.removed(turn, stanza, &MucUser::read(stanza)),
            None => ControlFlow::Continue(()),
        };
        self.enter(Phase::In(stay));
        self.go_on_in(turn, still);
    }

    /// Tries the join of the next session that waits; with none left the account is out.
    pub(super) fn try_next(&mut self, turn: &mut Turn<'_>) {
        if let Some(next) = self.base.sessions.waiting().first() {
            return self.try_join(turn, *next);
        }
        let past = self.take_past();
        self.enter(Phase::Out(Box::new(past)));
    }

    /// What is remembered while the account is not in.
    pub(super) fn take_past(&mut self) -> Past {
        match &mut self.phase {
            Phase::Out(past) => std::mem::take(&mut **past),
            Phase::Joining(joining) => std::mem::take(&mut joining.past),
            Phase::In(_) => Past::default(),
        }
    }

    /// The room does not answer the join (J26).
    pub(super) fn give_up_joining(&mut self, turn: &mut Turn<'_>) {
        log::debug!("{} does not answer the join of {}", self.base.me.room, self.base.me.account);
        self.base.time_out_waiting(turn, None);
        self.depart(turn, Departure::Technical, None);
    }
}

fn is_from_same(known: Option<&Kept>, presence: &Stanza) -> bool {
    known.is_some_and(|known| known.from == presence.from)
}
