//! What is logged.

use super::*;

/// Whether a message with so many elements is logged.
fn is_logged(elements: usize) -> bool {
    let config = Config { archive: Archive::All, ..Config::default() };
    let mut core = Core::in_room_with(config);
    let structure = "t<a/>".repeat(elements);
    let message =
        format!("<message type='groupchat' id='1'><body>a</body><x xmlns='urn:x'>{structure}</x></message>");
    let stanza = read(&message).from(Jid::new(&format!("{ROOM}/bob"))).to(Jid::new("alice@example.org"));
    core.happens(Event::RoomStanza { stanza }).iter().any(|action| matches!(action, Action::Log { .. }))
}

#[test]
fn a1_messages_of_much_structure_are_not_logged() {
    assert!(is_logged(400));
    assert!(!is_logged(1_000));
}
