//! What the room is: whether it has an archive decides whether it is logged, and whether it is for members only of what the
//! account is notified where no bookmark says so. One question serves both, and all accounts.

use super::base::Base;
use crate::event::Now;
use crate::push::Rule;
use crate::room::kinds::{Kinds, NS_DISCO_INFO, Told};
use crate::turn::Turn;
use crate::xmpp::stanza::{Element, IqType, Stanza};

impl Base {
    /// Asks the room what it is, unless it was asked lately or has told.
    pub(super) fn ask_kind(&self, turn: &mut Turn<'_>) {
        if !turn.kinds.want(turn.now, &self.me.room) {
            return;
        }
        let id = turn.fresh_id();
        let query = self.me.question(IqType::Get, &id, Element::build("query", NS_DISCO_INFO).done());
        turn.kinds.note_asked(turn.now, &self.me.room, id);
        turn.send(query);
    }

    /// Takes in what the room answers to that; false if it is no answer to it.
    pub(super) fn kind_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let is_answer = answer.sender_nick().is_none() && turn.kinds.note_answer(&self.me.room, answer);
        if is_answer {
            self.kind_known(turn);
        }
        is_answer
    }

    /// Takes in what the room says of itself to somebody who has asked for another reason.
    pub(super) fn kind_told(&mut self, turn: &mut Turn<'_>, answer: &Stanza) {
        turn.kinds.note(&self.me.room, Told::read(answer));
        self.kind_known(turn);
    }

    fn kind_known(&mut self, turn: &Turn<'_>) {
        self.learn_kind(turn);
        self.decide_view(turn);
    }

    /// Keeps what decides, where no bookmark does, of what the account is notified (U5).
    pub(super) fn learn_kind(&mut self, turn: &Turn<'_>) {
        if !turn.profile.is_pushed {
            return;
        }
        let told = turn.kinds.members_only(&self.me.room);
        if told.is_some() && told != self.settings().members_only {
            self.notice_mut().settings.members_only = told;
        }
    }

    /// Asks the room whether it is for members only, if that decides anything.
    pub(super) fn ask_for_rule(&mut self, turn: &mut Turn<'_>) {
        if self.settings().rule.is_some() {
            return;
        }
        self.learn_kind(turn);
        if self.settings().members_only.is_none() || turn.kinds.is_outdated(&self.me.room) {
            self.ask_kind(turn);
        }
    }

    /// What the account is notified of where no bookmark says so: of all where only members are. A room that has not
    /// told yet counts as such a room, one that does not tell does not.
    pub(super) fn default_rule(&self, kinds: &Kinds, now: Now) -> Rule {
        let room = &self.me.room;
        let told = kinds.members_only(room).or(self.settings().members_only);
        if told.unwrap_or_else(|| kinds.may_tell(now, room)) { Rule::Always } else { Rule::OnMention }
    }
}
