//! Tells what the core orders.

use minimix_core::event::{Action, Id};
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::stanza::{Kind, MessageType, PresenceType, Stanza};

use crate::log::{tell_log, tell_order};
use crate::push::tell_notice;
use crate::shorthand::{ACCOUNT, Way};
use crate::stores::tell_store;

pub(crate) fn tell_action(action: &Action) -> String {
    match action {
        Action::Relay { sessions } => {
            let told: Vec<_> =
                sessions.iter().map(|(session, id)| format!("D{}{}", session.0, tell_id(id))).collect();
            format!("relay to {}", told.join(", "))
        }
        Action::Deliver { session, stanza } => Way::ToSession(session.0).answer(stanza),
        Action::Forward { id } => format!("forward{}", tell_id(id)),
        Action::Reply { error, by } => format!("reply {}/{} by {by}", error.error_type, error.condition),
        Action::Send { stanza } => Way::FromAccount.answer(checked(stanza)),
        Action::SendAs { session, stanza } => {
            assert_eq!(stanza.from.as_ref(), Some(session.as_jid()));
            let resource = session.as_jid().resource().and_then(|resource| resource.strip_prefix('d'));
            let number = resource.and_then(|number| number.parse().ok()).expect("D1, D2, …");
            Way::FromSession(number).answer(stanza)
        }
        Action::Drop { .. } => "drop what is queued".to_owned(),
        Action::Mirror { sessions, .. } => {
            let told: Vec<_> = sessions.iter().map(|session| format!("D{}", session.0)).collect();
            format!("mirror to {}", told.join(", "))
        }
        Action::AskService { domain, id } => format!("service < {domain} is asked {id}"),
        Action::Store { rooms, at_once, .. } => tell_store(rooms, *at_once),
        Action::StoreOffline { stanza: None } => "store offline".to_owned(),
        Action::StoreOffline { stanza: Some(stanza) } => Way::ToAccount.answer(stanza),
        Action::Log { id, said_ms, stanza, .. } => tell_log(id, *said_ms, stanza),
        Action::ReadLog { id, since_ms, .. } => tell_order(id, *since_ms),
        Action::Notify { stanza } => tell_notice(stanza.as_ref()),
    }
}

/// Whatever happens, no error goes to a room (M7), and nothing from anybody but the account (R4).
fn checked(stanza: &Stanza) -> &Stanza {
    let is_error =
        matches!(stanza.kind, Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error));
    assert!(!is_error, "an error to the room: {}", stanza.to_xml());
    assert_eq!(stanza.from.as_ref().map(Jid::as_str), Some(ACCOUNT));
    stanza
}

fn tell_id(id: &Id) -> String {
    match id {
        Id::Keep => String::new(),
        Id::Set(id) => format!(" (id {id})"),
        Id::Remove => " (no id)".to_owned(),
    }
}
