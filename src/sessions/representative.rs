//! Whose presence the room is shown (design decision 4).

use super::{Attachment, Sessions};
use crate::event::SessionId;
use crate::profile::Profile;
use crate::xmpp::stanza::{Element, Kept, NS_CLIENT, Node, Stanza};

impl Sessions {
    /// Chooses the session whose presence the room is shown. It stays until another has a better one (design
    /// decision 4).
    pub(crate) fn elect(&mut self) {
        self.representative = self.best();
    }

    /// The account joins as that session would: the room is shown its presence.
    pub(crate) fn begin_with(&mut self, session: SessionId) {
        self.representative = Some(session);
    }

    /// The session that would be chosen.
    pub(crate) fn best(&self) -> Option<SessionId> {
        let rank = |attachment: &Attachment| rank(&attachment.presence);
        let best = self.iter().map(|(_, attachment)| rank(attachment)).min()?;
        let stays = self.representative.filter(|session| self.get(*session).is_some_and(|a| rank(a) == best));
        stays.or_else(|| {
            let equals = self.iter().filter(|(_, attachment)| rank(attachment) == best);
            equals.max_by_key(|(_, attachment)| attachment.order).map(|(session, _)| session)
        })
    }

    /// The session that was chosen.
    pub(crate) fn representative(&self) -> Option<SessionId> {
        self.representative
    }

    /// The presence that the room is shown: the representative's.
    pub(crate) fn shown(&self, profile: &Profile) -> Option<Kept> {
        Some(Kept::own(self.presence_of(self.get(self.representative?)?, profile)))
    }

    /// The presence of a session as the room is shown it, with the account's avatar (N10).
    pub(crate) fn presence_of(&self, attachment: &Attachment, profile: &Profile) -> Stanza {
        let mut presence = Stanza::clone(&attachment.presence);
        self.avatar.put_into(profile, &mut presence.children);
        presence
    }

    /// The session whose presence the room was shown, if it has sent no other since.
    pub(crate) fn author(&self, sent: &Stanza, profile: &Profile) -> Option<SessionId> {
        let representative = self.get(self.representative?)?;
        let is_sent = self.presence_of(representative, profile).children == sent.children;
        self.representative.filter(|_| is_sent)
    }

    /// Whether nothing has changed since that session has sent its presence.
    pub(crate) fn is_latest(&self, session: SessionId) -> bool {
        self.get(session).is_some_and(|attachment| attachment.order == self.changes)
    }

    /// The session that stands for the account towards the other modules of its host.
    pub(crate) fn stand_in(&self) -> Option<SessionId> {
        self.representative.or_else(|| self.attached.keys().next().copied())
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
    use super::super::{Ask, LogFor, ResyncFor, SearchFor};
    use super::*;
    use crate::pending::backlog::Backlog;
    use crate::room::request::HistoryRequest;
    use crate::xmpp::jid::FullJid;
    use crate::xmpp::jid::Jid;
    use crate::xmpp::jid::Nick;

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
            later: Backlog::default(),
            first: Backlog::default(),
            versions_told: false,
            resync: ResyncFor::Nothing,
            search: SearchFor::Nothing,
            log: LogFor::Nothing,
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
        let chosen = sessions.representative().and_then(|session| sessions.get(session));
        chosen.unwrap().jid.as_jid().resource().unwrap().to_owned()
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
}
