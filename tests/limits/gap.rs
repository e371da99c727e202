//! What a gap and an archive may cost (H14).

use super::*;

#[test]
fn h14_what_waits_behind_a_gap_is_limited() {
    for (length, waits) in [(1, limit::GAP_LIVE), (limit::GAP_COST / 10, 10)] {
        let (mut core, _) = with_gap();
        let said = format!("<message type='groupchat'><body>{}</body></message>", "a".repeat(length));
        for _ in 1..waits {
            assert_eq!(deliveries(&core.comes(&said, &format!("{ROOM}/bob"))), 0);
        }
        let shown = core.comes(&said, &format!("{ROOM}/bob"));
        let relays = shown.iter().filter(|action| matches!(action, Action::Relay { .. })).count();
        assert_eq!((deliveries(&shown), relays), (waits, 1), "the one in hand comes last");
    }
}

#[test]
fn h14_an_archive_shows_no_more_than_it_may() {
    let (mut core, id) = with_gap();
    let mut shown = 0;
    for number in 0..limit::GAP_MESSAGES + 10 {
        let result = format!(
            "<message><result xmlns='urn:xmpp:mam:2' queryid='{id}' id='a{number}'>\
             <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='groupchat' \
             from='{ROOM}/bob'><body>{number}</body></message></forwarded></result></message>"
        );
        shown += deliveries(&core.comes(&result, ROOM));
    }
    assert_eq!(shown, limit::GAP_MESSAGES);
    let fin = format!("<iq type='result' id='{id}'><fin xmlns='urn:xmpp:mam:2'/></iq>");
    let last = core.comes(&fin, ROOM);
    assert_eq!((deliveries(&last), last.len()), (1, 1), "what came live, and no further query: {last:?}");
}
