//! What sessions say of themselves, and what rooms say of the account.

use super::*;

const UPDATE: &str = "<presence id='u'><show>away</show>";

fn is_refused(actions: &[Action]) -> bool {
    let [Action::Deliver { stanza, .. }] = actions else { return false };
    stanza.error_condition() == Some("resource-constraint")
}

#[test]
fn r7_a_join_that_costs_too_much_is_refused() {
    let mut core = Core(Bouncer::new(Config::default(), 1));
    let dear = JOIN.replace("</presence>", &format!("<a>{}</a></presence>", "<b/>".repeat(1_000)));
    assert!(is_refused(&core.sends(&dear, &format!("{ROOM}/alice"))));
    assert!(matches!(core.sends(JOIN, &format!("{ROOM}/alice"))[..], [Action::Send { .. }]));
}

#[test]
fn r7_so_many_sessions_may_be_in_one_room() {
    let mut core = Core::in_room();
    let most = u32::try_from(limit::SESSIONS).unwrap();
    for number in 2..=most {
        assert!(!is_refused(&core.sends_as(number, JOIN, &format!("{ROOM}/alice"))), "{number}");
    }
    assert!(is_refused(&core.sends_as(most + 1, JOIN, &format!("{ROOM}/alice"))));
    assert!(!is_refused(&core.sends_as(2, JOIN, &format!("{ROOM}/alice"))), "it is in");
    core.happens(Event::SessionGone { session: SessionId(3) });
    assert!(!is_refused(&core.sends_as(most + 1, JOIN, &format!("{ROOM}/alice"))));
}

#[test]
fn r7_a_dear_presence_stands_for_the_account_without_status_and_unknown_payload() {
    let mut core = Core::in_room();
    let dear =
        format!("{UPDATE}<status>{}</status><a xmlns='u'/></presence>", "x".repeat(limit::OWN_PRESENCE_COST));
    let sent = core.sends(&dear, &format!("{ROOM}/alice"));
    let [Action::Send { stanza }] = &*sent else { panic!("{sent:?}") };
    assert_eq!(stanza.children.len(), 1, "{stanza:?}");
    assert_eq!(stanza.text_of("show").as_deref(), Some("away"));
}

#[test]
fn r7_of_a_dear_presence_of_the_account_that_is_kept_which_the_room_says() {
    let mut core = Core::in_room();
    let dear = SELF.replace(
        "</presence>",
        &format!("<status>{}</status></presence>", "x".repeat(limit::OWN_SHOWN_COST)),
    );
    core.comes(&dear, &format!("{ROOM}/alice"));
    let own = core.kept(&core.occupancy()["phase"]["In"]["own"]["shown"]);
    assert!(own.contains("participant") && !own.contains("xxx"), "{own}");
}

#[test]
fn r7_a_dear_subject_is_not_kept() {
    let mut core = Core::in_room();
    let subject =
        |length| format!("<message type='groupchat'><subject>{}</subject></message>", "x".repeat(length));
    core.comes(&subject(1_000), &format!("{ROOM}/bob"));
    assert!(core.occupancy()["base"]["room"]["subject"].is_object());
    core.comes(&subject(limit::SUBJECT_COST), &format!("{ROOM}/bob"));
    assert!(core.occupancy()["base"]["room"]["subject"].is_null());
}
