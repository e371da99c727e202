//! Whether a room is for members only: where no bookmark says of what the account is to be notified, that decides it.

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::bookmark::NS_DISCO_INFO;
use super::notice::Notice;
use crate::config::limit;
use crate::event::Now;
use crate::push::Rule;
use crate::turn::Turn;
use crate::xmpp::stanza::{Element, IqType, Kind, Stanza};

/// The room has been asked what it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    id: Box<str>,
    at_ms: u64,
}

impl Notice {
    /// What the account is notified of where no bookmark says so: of all where only members are. A room that has not
    /// told yet counts as such a room, one that does not tell does not.
    pub(super) fn default_rule(&self, now: Now) -> Rule {
        let is_asked =
            |asked: &Asked| now.monotonic_ms.saturating_sub(asked.at_ms) < limit::ROOM_KIND_ANSWER_MS;
        let may_be = || self.asked.as_ref().is_none_or(is_asked);
        if self.settings.members_only.unwrap_or_else(may_be) { Rule::Always } else { Rule::OnMention }
    }

    /// Whether the room has to be asked what it is.
    fn wants_kind(&self, now: Now) -> bool {
        let is_long_ago = |asked: &Asked| now.monotonic_ms.saturating_sub(asked.at_ms) >= limit::ROOM_KIND_MS;
        let is_known = self.settings.members_only.is_some() && !self.is_outdated;
        self.settings.rule.is_none() && !is_known && self.asked.as_ref().is_none_or(is_long_ago)
    }
}

impl Base {
    /// Asks the room whether it is for members only, if that decides anything (U5).
    pub(super) fn ask_kind(&mut self, turn: &mut Turn<'_>) {
        if !self.notice_mut().wants_kind(turn.now) {
            return;
        }
        let id = turn.fresh_id();
        let query = self.me.question(IqType::Get, &id, Element::build("query", NS_DISCO_INFO).done());
        self.notice_mut().asked = Some(Asked { id, at_ms: turn.now.monotonic_ms });
        turn.send(query);
    }

    /// Takes in what the room answers to that; false if it is no answer to it.
    pub(super) fn kind_answered(&mut self, turn: &Turn<'_>, answer: &Stanza) -> bool {
        let asked = self.notice.as_ref().and_then(|notice| notice.asked.as_ref());
        let is_answer = answer.sender_nick().is_none()
            && asked.is_some_and(|asked| answer.id.as_ref() == Some(&asked.id));
        if is_answer {
            self.learn_kind(turn, answer);
        }
        is_answer
    }

    /// Takes in what the room says of itself, whoever has asked.
    pub(super) fn learn_kind(&mut self, turn: &Turn<'_>, answer: &Stanza) {
        if !turn.profile.is_pushed || answer.sender_nick().is_some() {
            return;
        }
        let Some(query) =
            answer.find("query", NS_DISCO_INFO).filter(|query| query.attribute("node").is_none())
        else {
            return;
        };
        let is_members_only = |child: &Element| {
            child.is("feature", NS_DISCO_INFO) && child.attribute("var") == Some("muc_membersonly")
        };
        let members_only = answer.kind == Kind::Iq(IqType::Result) && query.elements().any(is_members_only);
        let notice = self.notice_mut();
        (notice.settings.members_only, notice.is_outdated) = (Some(members_only), false);
    }

    /// The room is configured anew.
    pub(super) fn kind_may_have_changed(&mut self) {
        if let Some(notice) = &mut self.notice {
            notice.is_outdated = true;
        }
    }
}
