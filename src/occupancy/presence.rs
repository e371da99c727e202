//! The room shows an occupant, or the account itself; a session shows itself to the room (§7.6, §7.7).

use super::occasion::Occasion;
use super::wishes::{Answered, Echo};
use super::{Occupancy, Phase};
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
        if self.is_early(session) {
            self.hold(turn, session, stanza);
            return Verdict::Handled;
        }
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
        Verdict::Handled
    }

    /// Whether presence of the session to that nick wishes no other: it means the account, or it is the nick that
    /// the session has asked for.
    fn keeps_nick(&self, turn: &Turn<'_>, session: SessionId, nick: &Nick) -> bool {
        match self.stay().and_then(|stay| stay.upstream.wished_by(session)) {
            Some(wished) => wished == nick,
            None => self.is_own_nick(turn, session, nick),
        }
    }

    /// The presence for the room: the best among the attached sessions, or `xa` if there are none. Nothing,
    /// if the room is to go on seeing the last one.
    pub(super) fn aggregate(&self, turn: &Turn<'_>) -> Option<Kept> {
        let away = || {
            let nobody = Stanza::new(Kind::Presence(PresenceType::Available)).children(nobody_there());
            self.is_away(turn).then(|| Kept::own(nobody))
        };
        self.base.sessions.shown(turn.profile).or_else(away)
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

    /// The room sent a presence while the account is in.
    pub(super) fn presence_came(
        &mut self,
        turn: &mut Turn<'_>,
        stanza: &Kept,
        presence_type: PresenceType,
    ) -> Verdict {
        let occupant = MucUser::read(stanza);
        let nick = stanza.sender_nick();
        let is_self = occupant.has(status::SELF) || nick.as_ref() == Some(&self.base.me.nick);
        match presence_type {
            PresenceType::Error => self.presence_error_came(turn, stanza),
            _ if self.answers_probe(turn, stanza) => {}
            PresenceType::Available if is_self && nick.is_some() => {
                self.own_presence_came(turn, stanza, &occupant);
            }
            PresenceType::Unavailable if is_self && occupant.has(status::NICK_CHANGE) => {
                self.own_nick_changes(turn, stanza, &occupant);
            }
            PresenceType::Unavailable if is_self => self.removed(turn, stanza, &occupant),
            PresenceType::Available => self.occupant_came(turn, stanza, nick.as_ref()),
            PresenceType::Unavailable => {
                self.occupant_went(stanza, &occupant);
                self.relay(turn, stanza);
                self.note_gone(turn, stanza, &occupant);
            }
            PresenceType::Probe | PresenceType::Other => {}
        }
        Verdict::Handled
    }

    /// An occupant is not there any more, or goes on under another nick.
    pub(super) fn occupant_went(&mut self, stanza: &Kept, occupant: &MucUser) {
        self.base.room.fold_unavailable(stanza, occupant);
        if let (Some(new), true) = (&occupant.nick, occupant.has(status::NICK_CHANGE)) {
            self.end_aliases(&Nick::new(new));
        }
    }

    fn occupant_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, nick: Option<&Nick>) {
        let change = self.base.room.fold_presence(stanza);
        if let Some(nick) = nick {
            self.end_aliases(nick);
        }
        let shown_again = self.note_seen(turn, nick);
        if !(shown_again && change == Change::Same) {
            self.relay(turn, stanza);
        }
    }

    /// The room shows the account. The sessions that wait for an update see it. If the room has something new to
    /// say, or speaks of its own accord, all do. Each session sees its own presence in it (N2, N7, N12, N13).
    fn own_presence_came(&mut self, turn: &mut Turn<'_>, stanza: &Kept, occupant: &MucUser) {
        let Some(nick) = stanza.sender_nick() else { return };
        if nick != self.base.me.nick {
            self.note_other_nick(turn, &nick);
        }
        let is_news = self.room_says_otherwise(stanza);
        self.note_role(occupant);
        self.base.room.flags.fold(&occupant.codes);
        let author = self.stay().and_then(|stay| self.base.sessions.author(&stay.own.sent, turn.profile));
        let claimed = author.and_then(|author| self.as_seen_by(turn, author));
        let Phase::In(stay) = &mut self.phase else { return };
        let renamed = stay.own.shown().sender_nick() != Some(nick.clone());
        stay.own.reflects_ids |= stay.upstream.awaits(stanza.id.as_deref());
        let occasion = stay.upstream.occasion(&nick, stanza.id.as_deref(), stay.own.reflects_ids);
        let is_answer = occasion == Occasion::Answer;
        stay.note_own(stanza, &occasion);
        let answer = stay.upstream.answered(&nick, is_answer);
        if is_answer && occupant.has(status::CREATED) && self.leaves_what_it_made(turn) {
            return;
        }
        if is_answer {
            self.note_all_seen(turn, stanza);
        }
        let echoes = match answer {
            Answered::Nick(wish) => return self.nick_changed(turn, *wish),
            Answered::Update(echoes) => echoes,
            Answered::Nothing => Vec::new(),
        };
        if is_news || occasion == Occasion::OfItsOwn {
            return self.show_own(turn, &echoes, renamed);
        }
        self.show_echoes(turn, &echoes, renamed);
        let untold = author.filter(|author| !echoes.iter().any(|echo| echo.session == *author));
        if let Some(author) = untold.filter(|author| self.as_seen_by(turn, *author) != claimed) {
            self.show_own_to(turn, author, renamed); // the room has not let pass what it was shown (F41)
        }
    }

    /// The account's presence as that session has been shown it, or would be.
    fn as_seen_by(&self, turn: &Turn<'_>, session: SessionId) -> Option<Stanza> {
        let mut seen = self.own_update(turn, self.base.sessions.get(session)?, false)?.id(None);
        super::versions::strip_version(&mut seen); // shown in a join only
        Some(seen)
    }

    /// Whether the room says something of the account that it had not said.
    pub(super) fn room_says_otherwise(&self, stanza: &Stanza) -> bool {
        self.stay().is_none_or(|stay| stay.own.is_told_otherwise(stanza, super::versions::strip_version))
    }

    /// A change of our own role to or from moderator alone changes which real JIDs we may see (J8).
    fn note_role(&mut self, occupant: &MucUser) {
        let before = self.own().map(|own| MucUser::read(own)).unwrap_or_default();
        let moderates = |role: &Option<Box<str>>| role.as_deref() == Some("moderator");
        if moderates(&before.role) != moderates(&occupant.role) && before.affiliation == occupant.affiliation
        {
            self.base.room.outdated = true;
        }
    }

    /// Shows the account's presence to those who wait for it, and to all others.
    pub(super) fn show_own(&mut self, turn: &mut Turn<'_>, echoes: &[Echo], renamed: bool) {
        self.show_echoes(turn, echoes, renamed);
        for session in self.shown_sessions() {
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
            let Some(mut shown) = self.own_update(turn, attachment, renamed) else { continue };
            if let Some(alias) = self.use_alias(echo.session) {
                shown.from = Some(self.base.me.room.occupant(&alias));
            }
            self.answer(turn, echo.session, shown.id(echo.id.as_deref()));
        }
    }

    pub(super) fn show_own_to(&mut self, turn: &mut Turn<'_>, session: SessionId, renamed: bool) {
        let Some(attachment) = self.base.sessions.get(session) else { return };
        let Some(shown) = self.own_update(turn, attachment, renamed) else { return };
        self.show(turn, session, shown.id(None));
    }

    /// The account's presence for that session, without the codes of a join. A 210 stays if the nick is new
    /// (N2).
    fn own_update(&self, turn: &Turn<'_>, attachment: &Attachment, renamed: bool) -> Option<Stanza> {
        let mut shown = self.personal(turn, attachment)?;
        retain_codes(&mut shown, |code| match code {
            status::NON_ANONYMOUS | status::LOGGED | status::CREATED => false,
            status::NICK_ASSIGNED => renamed,
            _ => true,
        });
        add_code(&mut shown, status::SELF);
        Some(shown)
    }

    /// An error that answers nothing we asked is a sign that the account is out (K9).
    fn presence_error_came(&mut self, turn: &mut Turn<'_>, error: &Stanza) {
        if self.refuse_probe(turn, error)
            || !(self.answers_repetition(error) || self.presence_refused(turn, error))
        {
            log::debug!("{} answers a presence of {} with an error", self.base.me.room, self.base.me.account);
            self.suspect(turn);
        }
    }
}
