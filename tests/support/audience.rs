//! A message is relayed before the core takes it in, to whom its addresses say: the core must say the same then.

use minimix_core::bouncer::Bouncer;
use minimix_core::concerns::Audience;
use minimix_core::event::{Action, Event, Id, SessionId};
use minimix_core::stanza::{Element, Kind, MessageType, Stanza};

/// Who will have had a message before the core hears of it, if that can be said.
pub(crate) fn before(bouncer: &Bouncer, event: &Event) -> Option<Vec<SessionId>> {
    let Event::RoomStanza { stanza } = event else { return None };
    let (account, from) = (stanza.to.as_ref()?.as_str(), stanza.from.as_ref()?.as_str());
    match bouncer.audience(account, from) {
        Audience::All(sessions) if is_plain(stanza, account) => Some(sessions.collect()),
        Audience::All(_) | Audience::Depends | Audience::NotOurs => None,
    }
}

fn is_plain(stanza: &Stanza, account: &str) -> bool {
    let claims = |child: &Element| &*child.name == "stanza-id" && child.attribute("by") == Some(account);
    stanza.kind == Kind::Message(MessageType::Groupchat)
        && !stanza.children.iter().any(|child| &*child.name == "delay" || claims(child))
}

/// The core relays the message to just those, as it is, and shows it to nobody else.
pub(crate) fn agrees(sessions: &[SessionId], actions: &[Action]) {
    let kept: Vec<_> = sessions.iter().map(|session| (*session, Id::Keep)).collect();
    let relays: Vec<_> = actions.iter().filter(|action| is_shown(action)).collect();
    assert!(
        matches!(relays[..], [Action::Relay { sessions }] if *sessions == kept),
        "relayed to {sessions:?} already: {actions:?}"
    );
}

fn is_shown(action: &Action) -> bool {
    matches!(
        action,
        Action::Relay { .. } | Action::Deliver { .. } | Action::Mirror { .. } | Action::StoreOffline { .. }
    )
}
