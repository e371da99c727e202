//! What is always true.

use minimix_core::event::SessionId;
use minimix_core::xmpp::jid::Jid;
use minimix_core::xmpp::muc::{NS_MUC_USER, asks_to_join};
use minimix_core::xmpp::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};

use crate::belief::OwedKind;
use crate::client::{Client, Place};
use crate::stanzas::{ACCOUNT, ROOM};
use crate::world::World;

/// Whatever goes to the room: from the account alone, and no error but in answer to a query (M7, R4).
pub(crate) fn sent(stanza: &Stanza) {
    let is_error =
        matches!(stanza.kind, Kind::Presence(PresenceType::Error) | Kind::Message(MessageType::Error));
    assert!(!is_error, "an error to the room (M7)");
    assert_eq!(stanza.from.as_ref().map(Jid::as_str), Some(ACCOUNT), "not from the account (R4)");
    assert_eq!(stanza.to.as_ref().map(Jid::bare), Some(ROOM), "not to the room");
    let shows = matches!(stanza.kind, Kind::Presence(PresenceType::Available | PresenceType::Unavailable));
    assert!(!(shows && stanza.has("x", NS_MUC_USER)), "what only a room may say (N9)");
}

/// A session is asked: the one that the room is shown (F31), if the room has answered the presence that shows it.
pub(crate) fn asked(world: &World, session: SessionId, question: &Stanza) {
    let client = world.clients.iter().find(|client| client.id == session);
    if question.kind == Kind::Iq(IqType::Get) && world.unanswered.is_none() {
        let show =
            client.and_then(|client| client.last_presence.as_ref()).and_then(|(_, show)| show.as_ref());
        assert_eq!(show, world.shown.as_ref(), "another is asked than the room is shown (F31)");
    }
}

/// What a session sends and Prosody carries on as if we were not there: never a join.
pub(crate) fn passed(stanza: &Stanza) {
    let has_nick = stanza.to.as_ref().is_some_and(|to| to.resource().is_some());
    assert!(!(asks_to_join(stanza) && has_nick), "a session joins by itself (R4)");
}

/// Everything has arrived and every deadline has passed.
pub(crate) fn at_rest(world: &World) {
    assert!(world.up.is_empty() && world.down.is_empty());
    if !world.is_ghost() {
        assert_eq!(world.bouncer.occupies(ACCOUNT, ROOM), world.room.has_account(), "in or out");
        assert_eq!(world.unanswered.as_ref().map(|(id, _)| id), None, "a presence is never answered");
    }
    for (id, answers) in &world.questions {
        assert!(*answers <= 1, "answers to the question {id} (I5)");
    }
    assert!(world.room.people.unanswered().is_empty(), "questions without an answer (I5)");
    for client in world.clients.iter().filter(|client| client.is_connected) {
        answered(client);
        if client.place == Place::In {
            sees_the_room(world, client);
        }
    }
}

/// Whoever waits has been answered.
fn answered(client: &Client) {
    let jid = &client.jid;
    assert!(!matches!(client.place, Place::Joining(_)), "{jid} is never answered: {:?}", client.place);
    for (id, owed) in &client.owed {
        if owed.kind != OwedKind::Other {
            assert_eq!(owed.answers, 1, "answers to {id} of {jid}");
        }
    }
}

/// A session's view of the room is the room.
fn sees_the_room(world: &World, client: &Client) {
    assert!(world.bouncer.occupies(ACCOUNT, ROOM), "{} believes to be in", client.jid);
    if world.is_ghost() {
        return;
    }
    let Some((nick, own, _)) = &world.room.account else { panic!("the account is not in") };
    assert_eq!(client.view.roster, world.room.others, "the roster of {}", client.jid);
    let Some((seen_nick, seen)) = &client.view.own else { panic!("no self-presence") };
    assert!(seen_nick == nick || *seen_nick == client.view.asked_nick, "the nick of {}", client.jid);
    assert_eq!((&seen.role, &seen.affiliation), (&own.role, &own.affiliation), "the role of {}", client.jid);
    assert_eq!(client.view.subject, world.known.subject, "the subject of {} (H6)", client.jid);
    let sees_all = client.view.live.contains(&world.known.live.len());
    assert!(sees_all, "{} misses messages", client.jid);
    assert_eq!(client.seen_private, client.expected_private, "private messages of {} (P3)", client.jid);
}

/// Nothing of all that is kept for ever, but that rooms were left for good.
pub(crate) fn nothing_left(world: &World) {
    let snapshot = world.bouncer.snapshot().expect("a snapshot");
    let snapshot: serde_json::Value = serde_json::from_str(&snapshot).expect("JSON");
    for account in snapshot["state"]["accounts"].as_object().expect("accounts").values() {
        assert_eq!(
            account["rooms"].as_object().map(serde_json::Map::len),
            Some(0),
            "rooms are left: {snapshot}"
        );
    }
    for kept in ["sessions", "direct_services", "watched", "blocked"] {
        let left = snapshot["state"][kept].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(left, 0, "{kept} are left: {snapshot}");
    }
    assert!(!world.room.has_account(), "the account is still in");
}
