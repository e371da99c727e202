//! The room shows an occupant, or the account itself; a session shows itself to the room (§7.6, §7.7).

use std::ops::ControlFlow;

use super::Occupancy;
use super::base::Base;
use super::occasion::Occasion;
use super::phase::{In, Phase, StillIn};
use super::wishes::{Answered, Echo};
use crate::event::{SessionId, Verdict};
use crate::room::roster::Change;
use crate::room::self_presence::{add_code, retain_codes, technical};
use crate::sessions::{Attachment, nobody_there};
use crate::turn::Turn;
use crate::xmpp::jid::Nick;
use crate::xmpp::muc::{MucUser, status};
use crate::xmpp::stanza::{Kept, Kind, PresenceType, Stanza};

impl Occupancy {
    /// A session sent presence that is no join: an update, a nick change, or presence of a session that
    /// believes to be in and is not.
    pub(super) fn presence_sent(
        &mut self,
        turn: &mut Turn<'_>,
        session: SessionId,
        stanza: &Stanza,
    ) -> Verdict {
        if !self.base.sessions.has(session) {
            return self.tell_not_joined(turn, session, stanza);
        }
        let is_early = self.base.is_early(session);
        match &mut self.phase {
            Phase::In(stay) if !is_early => {
                In { stay, base: &mut self.base }.presence_updated(turn, session, stanza);
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => self.base.hold(turn, session, stanza),
        }
        Verdict::Handled
    }

    /// Tells the session that it is out, if it could believe otherwise (J14).
    fn tell_not_joined(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) -> Verdict {
        if matches!(&self.phase, Phase::Out(past) if !past.is_remembered(turn)) {
            return Verdict::Pass("the account is not in the room");
        }
        let Some(from) = stanza.to.clone() else { return Verdict::Pass("presence to nobody") };
        let from = if from.resource().is_some() { from } else { self.base.me.occupant() };
        let occupant_id = self.own().and_then(|own| crate::room::self_presence::occupant_id(own));
        let told = technical(from, occupant_id).id(stanza.id.as_deref());
        turn.deliver(session, told);
        Verdict::Handled
    }
}

impl In<'_> {
    /// A session that has been shown the room changes its presence, or the nick.
    fn presence_updated(&mut self, turn: &mut Turn<'_>, session: SessionId, stanza: &Stanza) {
        let nick = stanza.target_nick();
        let is_own = nick.as_ref().is_none_or(|nick| self.keeps_nick(turn, session, nick));
        self.base.sessions.update(session, super::join::shown_presence(stanza));
        match nick {
            Some(nick) if !is_own => self.wish_nick(turn, session, nick, stanza.id.clone(), None),
            _ => {
                self.note_addressed(turn, session, nick.as_ref());
                self.wish_echo(turn, Echo { session, id: stanza.id.clone() });
            }
        }
    }

    /// Whether presence of the session to that nick wishes no other: it means the account, or it is the nick that
    /// the session has asked for.
    fn keeps_nick(&self, turn: &Turn<'_>, session: SessionId, nick: &Nick) -> bool {
        match self.stay.upstream.wished_by(session) {
            Some(wished) => wished == nick,
            None => self.base.is_own_nick(turn, session, nick),
        }
    }

    /// The presence for the room: the best among the attached sessions, or `xa` if there are none. Nothing,
    /// if the room is to go on seeing the last one.
    pub(super) fn aggregate(&self, turn: &Turn<'_>) -> Option<Kept> {
        let away = || {
            let nobody = Stanza::new(Kind::Presence(PresenceType::Available)).children(nobody_there());
            self.stay.is_away(turn).then(|| Kept::own(nobody))
        };
        self.base.sessions.shown(turn.profile).or_else(away)
    }

    /// The room sent a presence while the account is in.
    pub(super) fn presence_came<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &'a Kept,
        presence_type: PresenceType,
    ) -> StillIn<'a> {
        let occupant = MucUser::read(stanza);
        let nick = stanza.sender_nick();
        let is_self = occupant.has(status::SELF) || nick.as_ref() == Some(&self.base.me.nick);
        match presence_type {
            PresenceType::Error => return self.presence_error_came(turn, stanza),
            _ if self.answers_probe(turn, stanza) => {}
            PresenceType::Available if is_self && nick.is_some() => {
                return self.own_presence_came(turn, stanza, &occupant);
            }
            PresenceType::Unavailable if is_self && occupant.has(status::NICK_CHANGE) => {
                self.own_nick_changes(turn, stanza, &occupant);
            }
            PresenceType::Unavailable if is_self => return self.removed(turn, stanza, &occupant),
            PresenceType::Available => self.occupant_came(turn, stanza, nick.as_ref()),
            PresenceType::Unavailable => {
                self.base.occupant_went(stanza, &occupant);
                self.relay(turn, stanza);
                self.base.note_gone(turn, stanza, &occupant);
            }
            PresenceType::Probe | PresenceType::Other => {}
        }
        ControlFlow::Continue(())
    }

    fn occupant_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, nick: Option<&Nick>) {
        let change = self.base.room.fold_presence(stanza);
        if let Some(nick) = nick {
            self.base.end_aliases(nick);
        }
        let shown_again = self.note_seen(turn, nick);
        if !(shown_again && change == Change::Same) {
            self.relay(turn, stanza);
        }
    }

    /// The room shows the account. The sessions that wait for an update see it. If the room has something new to
    /// say, or speaks of its own accord, all do. Each session sees its own presence in it (N2, N7, N12, N13).
    fn own_presence_came<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        occupant: &MucUser,
    ) -> StillIn<'a> {
        let Some(nick) = stanza.sender_nick() else { return ControlFlow::Continue(()) };
        if nick != self.base.me.nick {
            self.note_other_nick(turn, &nick);
        }
        let is_news = self.room_says_otherwise(stanza);
        self.note_role(occupant);
        self.base.room.flags.fold(&occupant.codes);
        let author = self.base.sessions.author(&self.stay.own.sent, turn.profile);
        let claimed = author.and_then(|author| self.as_seen_by(turn, author));
        let renamed = self.stay.own.shown().sender_nick() != Some(nick.clone());
        self.stay.own.reflects_ids |= self.stay.upstream.awaits(stanza.id.as_deref());
        let occasion = self.stay.upstream.occasion(&nick, stanza.id.as_deref(), self.stay.own.reflects_ids);
        let is_answer = occasion == Occasion::Answer;
        self.stay.note_own(turn, stanza, &occasion);
        let answer = self.stay.upstream.answered(&nick, is_answer);
        if is_answer && occupant.has(status::CREATED) {
            self.note_made_anew()?;
        }
        if is_answer {
            self.note_all_seen(turn, stanza);
        }
        let echoes = match answer {
            Answered::Nick(wish) => {
                self.nick_changed(turn, *wish);
                return ControlFlow::Continue(());
            }
            Answered::Update(echoes) => echoes,
            Answered::Nothing => Vec::new(),
        };
        if is_news || occasion == Occasion::OfItsOwn {
            self.show_own(turn, &echoes, renamed);
            return ControlFlow::Continue(());
        }
        self.show_echoes(turn, &echoes, renamed);
        let untold = author.filter(|author| !echoes.iter().any(|echo| echo.session == *author));
        if let Some(author) = untold.filter(|author| self.as_seen_by(turn, *author) != claimed) {
            self.show_own_to(turn, author, renamed); // the room has not let pass what it was shown (F41)
        }
        ControlFlow::Continue(())
    }

    /// The account's presence as that session has been shown it, or would be.
    fn as_seen_by(&self, turn: &Turn<'_>, session: SessionId) -> Option<Stanza> {
        let mut seen = self.own_update(turn, self.base.sessions.get(session)?, false).id(None);
        super::versions::strip_version(&mut seen); // shown in a join only
        Some(seen)
    }

    /// Whether the room says something of the account that it had not said.
    pub(super) fn room_says_otherwise(&self, stanza: &Stanza) -> bool {
        self.stay.own.is_told_otherwise(stanza, super::versions::strip_version)
    }

    /// A change of our own role to or from moderator alone changes which real JIDs we may see (J8).
    fn note_role(&mut self, occupant: &MucUser) {
        let before = MucUser::read(self.stay.own.shown());
        let moderates = |role: &Option<Box<str>>| role.as_deref() == Some("moderator");
        if moderates(&before.role) != moderates(&occupant.role) && before.affiliation == occupant.affiliation
        {
            self.base.forget_current();
        }
    }

    /// Shows the account's presence to those who wait for it, and to all others.
    pub(super) fn show_own(&mut self, turn: &mut Turn<'_>, echoes: &[Echo], renamed: bool) {
        self.show_echoes(turn, echoes, renamed);
        for session in self.base.shown_sessions() {
            if !echoes.iter().any(|echo| echo.session == session) {
                self.show_own_to(turn, session, renamed);
            }
        }
    }

    /// Shows sessions their own presence, each under the id that it gave it and from the nick that it addressed
    /// (N7).
    pub(super) fn show_echoes(&mut self, turn: &mut Turn<'_>, echoes: &[Echo], renamed: bool) {
        for echo in echoes {
            let Some(attachment) = self.base.sessions.get(echo.session) else { continue };
            let mut shown = self.own_update(turn, attachment, renamed);
            if let Some(alias) = self.base.use_alias(echo.session) {
                shown.from = Some(self.base.me.room.occupant(&alias));
            }
            self.answer(turn, echo.session, shown.id(echo.id.as_deref()));
        }
    }

    pub(super) fn show_own_to(&mut self, turn: &mut Turn<'_>, session: SessionId, renamed: bool) {
        let Some(attachment) = self.base.sessions.get(session) else { return };
        let shown = self.own_update(turn, attachment, renamed);
        self.show(turn, session, shown.id(None));
    }

    /// The account's presence for that session, without the codes of a join. A 210 stays if the nick is new
    /// (N2).
    fn own_update(&self, turn: &Turn<'_>, attachment: &Attachment, renamed: bool) -> Stanza {
        let mut shown = self.personal(turn, attachment);
        retain_codes(&mut shown, |code| match code {
            status::NON_ANONYMOUS | status::LOGGED | status::CREATED => false,
            status::NICK_ASSIGNED => renamed,
            _ => true,
        });
        add_code(&mut shown, status::SELF);
        shown
    }

    /// An error that answers nothing we asked is a sign that the account is out (K9).
    fn presence_error_came<'a>(&mut self, turn: &mut Turn<'_>, error: &Stanza) -> StillIn<'a> {
        let reflects_ids = self.stay.own.reflects_ids;
        if self.refuse_probe(turn, error)
            || !(self.base.answers_repetition(error, reflects_ids) || self.presence_refused(turn, error)?)
        {
            log::debug!("{} answers a presence of {} with an error", self.base.me.room, self.base.me.account);
            self.suspect(turn);
        }
        ControlFlow::Continue(())
    }
}

impl Base {
    /// An occupant is not there any more, or goes on under another nick.
    pub(super) fn occupant_went(&mut self, stanza: &Kept, occupant: &MucUser) {
        self.room.fold_unavailable(stanza, occupant);
        if let (Some(new), true) = (&occupant.nick, occupant.has(status::NICK_CHANGE)) {
            self.end_aliases(&Nick::new(new));
        }
    }
}
