//! What is said into an outage.

use super::*;

/// The ids of the messages of which a session is told that they came to nothing; of one in hand, `now`.
fn told(core: &mut Core, at_ms: u64, event: Event) -> Vec<String> {
    let now = Now { monotonic_ms: at_ms, utc_ms: at_ms.cast_signed() };
    let told = core.0.handle(now, event).actions.into_iter().filter_map(|action| match action {
        Action::Deliver { stanza, .. } => stanza.id.as_deref().map(str::to_owned),
        Action::Reply { .. } => Some("now".to_owned()),
        _ => None,
    });
    told.collect()
}

fn said(id: &str) -> Event {
    let stanza = read(&format!("<message type='groupchat' id='{id}'><body>hello</body></message>"))
        .from(Jid::new("alice@example.org/phone"))
        .to(Jid::new(ROOM));
    Event::ClientStanza { session: PHONE, stanza }
}

#[test]
fn r7_what_is_held_takes_no_place_of_what_is_not_known_yet() {
    let mut core = Core::in_room();
    core.happens(Event::ServiceLost {
        domain: "rooms.example".to_owned(),
        in_peace: false,
        is_incoming: true,
    });
    for at_ms in [6_000, 27_000] {
        told(&mut core, at_ms, Event::DeadlineReached);
    }
    let most = limit::OUTBOX_COST / 100;
    assert!(told(&mut core, 27_000, said("first")).is_empty(), "it goes up");
    let held = (0..most).filter(|_| told(&mut core, 27_000, said("later")).is_empty()).count();
    assert!((1..most).contains(&held), "some are held, and some are refused: {held}");
    let ends = [43_000, 74_000, 88_000].map(|at_ms| told(&mut core, at_ms, Event::DeadlineReached));
    assert_eq!(ends.concat().iter().filter(|id| *id == "first").count(), 1);
}
