//! The account's join is under way: the room is taken in and shown to nobody until it is complete (J31).

use serde::{Deserialize, Serialize};

use super::check::{Check, Trust};
use super::entry::Entry;
use super::gap::Gap;
use super::held::Orphans;
use super::outbox::Outbox;
use super::past::Past;
use super::probe::Probes;
use super::unseen::Silence;
use super::upstream::Upstream;
use super::versions::tells_versions;
use super::{Attendance, Occupancy, Own, Phase, Stay};
use crate::config::limit;
use crate::event::{SessionId, Verdict};
use crate::pending::backlog::Backlog;
use crate::room::Room;
use crate::room::history::History;
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

impl Occupancy {
    pub(super) fn presence_while_joining(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        presence_type: PresenceType,
    ) -> Verdict {
        let Phase::Joining(joining) = &mut self.phase else { return Verdict::Handled };
        let occupant = MucUser::read(stanza);
        // before its 110 the nick that was asked for may be anybody's
        let is_self = occupant.has(status::SELF) || is_from_same(joining.entry.own(), stanza);
        let is_own = is_self || joining.is_own_of_earlier_stay(stanza);
        match presence_type {
            PresenceType::Available if is_self => self.own_join_came(turn, stanza, &occupant),
            PresenceType::Available => {
                self.base.room.fold_presence(stanza);
            }
            PresenceType::Unavailable if is_own && !occupant.has(status::NICK_CHANGE) => {
                self.removed_while_joining(turn, stanza, &occupant);
            }
            PresenceType::Unavailable => {
                self.base.room.fold_unavailable(stanza, &occupant);
                self.note_gone(turn, stanza, &occupant);
            }
            PresenceType::Error if self.answers_repetition(stanza) => {}
            PresenceType::Error => self.join_refused(turn, stanza),
            PresenceType::Probe | PresenceType::Other => {}
        }
        Verdict::Handled
    }

    /// The room says that the account is in. Late traffic of an earlier stay is not taken for it (design
    /// decision 13).
    fn own_join_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, occupant: &MucUser) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        let Some(nick) = stanza.sender_nick() else { return };
        let asked_by = joining.request.asked_by;
        let was_asked = joining.entry.is_asked();
        let is_new = joining.own_came(turn, stanza);
        let early = if was_asked || is_new { joining.early.clone() } else { Backlog::default() };
        if is_new {
            self.base.room.outdated = false;
            self.base.room.history = History::default(); // of an earlier join, which asked for less
            self.base.room.history.begin_fetch(joining.request.history);
        }
        for message in early {
            self.take_in_history(turn, &message); // for those who come later (J2)
        }
        self.base.room.roster.remove(&nick);
        self.base.me.nick = nick;
        self.base.room.is_entered = true;
        self.base.room.flags.fold(&occupant.codes);
        self.base.room.versioned |= tells_versions(stanza);
        if occupant.has(status::CREATED) {
            self.note_created(turn, asked_by);
        }
    }

    /// The session whose join created the room configures it; if it has gone, another that waits (J9). A room that
    /// nobody asked for is left.
    fn note_created(&mut self, turn: &mut Turn<'_>, asked_by: Option<SessionId>) {
        let asked_by_present = asked_by.filter(|session| self.base.sessions.has(*session));
        let creator = asked_by_present.or_else(|| self.base.sessions.waiting().first().copied());
        if asked_by.is_none() && creator.is_none() {
            return self.leave_created(turn);
        }
        let attachment = creator.and_then(|session| self.base.sessions.get_mut(session));
        if let Some(Attachment { stage: Stage::Waiting(ask), .. }) = attachment {
            ask.created = true;
        }
    }

    /// The end of an earlier stay is forgotten with all that belonged to it; the end of this one is shown
    /// after the join that it ends.
    fn removed_while_joining(&mut self, turn: &mut Turn<'_>, stanza: &Kept, occupant: &MucUser) {
        if let Phase::Joining(joining) = &mut self.phase
            && !joining.entry.is_let_in()
        {
            joining.start_over();
            let asked = joining.request.history;
            self.base.sessions.forget_first();
            self.end_queries(turn);
            self.base.room = Room::default();
            self.base.room.history.begin_fetch(asked);
            return;
        }
        self.complete(turn);
        self.removed(turn, stanza, occupant);
    }

    /// The room is known: the account is in, and waiting sessions are shown the room. Who wants more history than
    /// was asked for waits on.
    pub(super) fn complete(&mut self, turn: &mut Turn<'_>) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        let Some(own) = joining.own() else { return };
        let upstream = Upstream::begun_by(joining.request.asked_by);
        let asked = joining.request.history;
        let password = joining.request.password.take().map(Into::into);
        let (early, orphans) = (std::mem::take(&mut joining.early), std::mem::take(&mut joining.orphans));
        log::debug!("{} joins {} as {}", self.base.me.account, self.base.me.room, self.base.me.nick);
        let is_bookmarked = turn.profile.bookmarks.holds(&self.base.me.room);
        self.enter(Phase::In(Box::new(Stay { is_bookmarked, password, ..Stay::new(turn, own, upstream) })));
        self.release_orphans(turn, orphans);
        self.end_fetch(turn);
        for ask in self.base.sessions.asks_mut() {
            ask.first.prepend(&early);
        }
        for session in self.base.sessions.waiting() {
            if asked.is_enough_for(self.wanted_history(turn, session)) || !self.lacks_history(turn, session) {
                self.start_replay(turn, session);
            }
        }
        self.base.room.history.trim(turn.now, turn.config);
        self.forget_versions();
    }

    /// The room refuses the join: the sessions that asked for the same are told, the next one's join is tried
    /// (J13, J16, J17).
    fn join_refused(&mut self, turn: &mut Turn<'_>, error: &Stanza) {
        let Phase::Joining(joining) = &mut self.phase else { return };
        if error.id.as_ref().is_some_and(|id| *id != joining.request.id) {
            return; // it answers an earlier join
        }
        if let Some(sent) = joining.in_as().cloned() {
            joining.request.is_reflected = joining.entry.own().is_some_and(|own| own.id.is_some());
            joining.request.sent = sent;
            return self.complete(turn);
        }
        let same = |(session, attachment): (SessionId, &Attachment)| {
            joining.asks_the_same(attachment).then_some(session)
        };
        let refused: Vec<_> = self.base.sessions.iter().filter_map(same).collect();
        if error.error_condition() == Some("jid-malformed") {
            for session in refused {
                self.try_directly(turn, session);
            }
        } else {
            self.tell_refused(turn, error, refused);
        }
        self.refuse_orphans(turn);
        self.try_next(turn);
    }

    /// Tries the join of the next session that waits; with none left the account is out.
    pub(super) fn try_next(&mut self, turn: &mut Turn<'_>) {
        if let Some(next) = self.base.sessions.waiting().first() {
            return self.try_join(turn, *next);
        }
        let past = self.take_past();
        self.enter(Phase::Out(past));
    }

    /// What is remembered while the account is not in.
    pub(super) fn take_past(&mut self) -> Past {
        match &mut self.phase {
            Phase::Out(past) => std::mem::take(past),
            Phase::Joining(joining) => std::mem::take(&mut joining.past),
            Phase::In(_) => Past::default(),
        }
    }

    /// The room does not answer the join (J26).
    pub(super) fn give_up_joining(&mut self, turn: &mut Turn<'_>) {
        log::debug!("{} does not answer the join of {}", self.base.me.room, self.base.me.account);
        self.time_out_waiting(turn);
        self.depart(turn, Departure::Technical, None);
    }
}

impl Stay {
    /// About how many bytes wait for the room.
    pub(super) fn waiting_cost(&self) -> usize {
        let check = self.check.as_ref().map_or(0, Check::cost);
        let waiting = self.outbox.cost() + self.gap.cost();
        check + waiting + self.upstream.cost() + self.probes.cost() + self.attendance.cost()
    }

    /// The account's join is complete.
    fn new(turn: &Turn<'_>, own: Own, upstream: Upstream) -> Self {
        Self {
            own,
            trust: Trust::renewed(turn),
            check: None,
            upstream,
            attendance: Attendance::default(),
            probes: Probes::default(),
            outbox: Outbox::default(),
            loss: None,
            lost_ms: None,
            is_bookmarked: false,
            login_ms: turn.now.monotonic_ms,
            password: None,
            is_unknown: false,
            last: None,
            gap: Gap::Closed,
        }
    }
}

fn is_from_same(known: Option<&Kept>, presence: &Stanza) -> bool {
    known.is_some_and(|known| known.from == presence.from)
}
