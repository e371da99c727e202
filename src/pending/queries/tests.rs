//! What is open, how it ends, and how it goes along with its occupant.

use super::*;
use crate::xmpp::jid::Jid;

const BOB: &str = "lounge@rooms.example/bob";

fn peer(address: &str) -> Peer {
    Peer::new(Jid::new(address).nick())
}

fn query(session: u32, id: &str) -> Query {
    Query { session: Some(SessionId(session)), id: id.into(), peer: peer(BOB) }
}

fn question(session: u32, id: &str) -> Question {
    Question { session: SessionId(session), id: id.into(), peer: peer(BOB), unasked: None }
}

fn result(id: &str) -> Stanza {
    Stanza::new(Kind::Iq(IqType::Result)).id(Some(id))
}

fn by(address: &str, id: &str) -> Stanza {
    result(id).from(Jid::new(address))
}

fn to(address: &str, id: &str) -> Stanza {
    result(id).to(Jid::new(address))
}

fn asked(id: &str) -> Kept {
    Kept::own(Stanza::new(Kind::Iq(IqType::Get)).id(Some(id)))
}

fn full() -> Queries {
    let mut queries = Queries::default();
    for number in 0..limit::QUERIES {
        queries.ask_occupant(number.to_string().into(), 10, query(1, &number.to_string()));
    }
    queries
}

#[test]
fn i1_two_sessions_may_use_one_id() {
    let mut queries = Queries::default();
    queries.ask_occupant("x".into(), 10, query(1, "q"));
    queries.ask_occupant("y".into(), 10, query(2, "q"));
    assert_eq!(queries.answered(&by(BOB, "y")), Some(query(2, "q")));
    assert_eq!(queries.answered(&by(BOB, "y")), None);
}

#[test]
fn i12_what_is_too_much_waits_in_order_and_is_limited() {
    let mut queries = full();
    assert!(!queries.has_room());
    let most = 2_000 * Waiting { session: None, query: asked("0000") }.cost();
    for number in 0..2_000 {
        assert!(queries.wait(Some(SessionId(2)), asked(&format!("{number:04}")), most));
    }
    assert!(!queries.wait(Some(SessionId(2)), asked("late"), most));
    assert!(queries.next_waiting().is_none());
    queries.answered(&by(BOB, "7"));
    assert_eq!(queries.next_waiting(), Some((Some(SessionId(2)), asked("0000"))));
    queries.forget(SessionId(2));
    assert!(queries.next_waiting().is_none());
}

#[test]
fn i12_a_person_has_time_unless_others_wait() {
    let mut queries = full();
    assert_eq!(queries.deadline(), None);
    assert!(queries.take_too_many(10).is_empty());
    queries.wait(Some(SessionId(2)), asked("w"), usize::MAX);
    assert_eq!(queries.deadline(), Some(10));
    assert!(queries.take_too_many(9).is_empty());
    assert_eq!(queries.take_too_many(10), [query(1, "0")]);
    assert_eq!(queries.next_waiting(), Some((Some(SessionId(2)), asked("w"))));
    assert_eq!(queries.deadline(), None);
}

#[test]
fn i12_the_room_itself_has_no_time() {
    let mut queries = Queries::default();
    let to_room = Query { peer: Peer::new(None), ..query(1, "q") };
    queries.ask_room("x".into(), 10, to_room.clone());
    assert_eq!(queries.deadline(), Some(10));
    assert_eq!(queries.take_unanswered(10), [to_room]);
}

#[test]
fn a_reply_from_the_wrong_address_answers_nothing() {
    let mut queries = Queries::default();
    queries.ask_occupant("x".into(), 10, query(1, "q"));
    assert_eq!(queries.answered(&by("lounge@rooms.example/eve", "x")), None);
    assert_eq!(queries.answered(&by("lounge@rooms.example", "x")), None);
    assert_eq!(queries.answered(&result("x")), None);
    assert_eq!(queries.answered(&by(BOB, "x")), Some(query(1, "q")));
}

#[test]
fn i5_only_the_session_that_was_asked_answers() {
    let mut queries = Queries::default();
    queries.ask_session("d".into(), question(1, "p"));
    assert_eq!(queries.answered_by_session(&to(BOB, "d"), SessionId(2)), None);
    assert_eq!(queries.answered_by_session(&to(BOB, "d"), SessionId(1)), Some(question(1, "p")));
}

#[test]
fn i5_an_occupant_that_asks_too_much_costs_itself_the_answer() {
    let mut queries = Queries::default();
    queries.ask_session("d".into(), question(1, "p"));
    let eve = |id: &str| Question { peer: peer("lounge@rooms.example/eve"), ..question(1, id) };
    for number in 1..limit::QUERIES {
        assert_eq!(queries.ask_session(number.to_string().into(), eve(&number.to_string())), None);
    }
    assert_eq!(queries.ask_session("late".into(), eve("late")), Some(eve("1")));
    let carol = Question { peer: peer("lounge@rooms.example/carol"), ..question(1, "c") };
    assert_eq!(queries.ask_session("c".into(), carol), Some(question(1, "p")), "the oldest of all");
}

#[test]
fn i13_an_ended_session_gets_no_answer_and_owes_none() {
    let mut queries = Queries::default();
    queries.ask_room("r".into(), 10, Query { peer: Peer::new(None), ..query(1, "q") });
    queries.ask_occupant("x".into(), 10, query(1, "q"));
    queries.ask_session("d".into(), question(1, "p"));
    assert_eq!(queries.detach(SessionId(1)), [question(1, "p")]);
    queries.forget(SessionId(1));
    assert_eq!(queries.answered(&by(BOB, "x")), None);
    assert_eq!(queries.answered(&by("lounge@rooms.example", "r")).unwrap().session, None);
    assert!(!queries.are_open());
}

#[test]
fn f39_open_queries_go_along_with_their_occupant() {
    let (bob, bobby) = (Nick::new("bob"), Nick::new("bobby"));
    let mut queries = Queries::default();
    queries.ask_occupant("x".into(), 10, query(1, "q"));
    queries.ask_session("d".into(), question(1, "p"));
    queries.follow(&bob, &bobby);
    assert!(queries.end_with(&bob).is_empty(), "that is somebody else");
    let bobby = "lounge@rooms.example/bobby";
    assert_eq!(queries.answered(&by(bobby, "x")).unwrap().id, "q".into());
    assert_eq!(
        queries.answered_by_session(&to(BOB, "d"), SessionId(1)).unwrap().peer.current().unwrap().as_str(),
        "bobby"
    );
}

#[test]
fn f39_what_is_not_asked_yet_comes_from_the_new_nick() {
    let mut queries = Queries::default();
    let unasked = Some(Kept::own(by(BOB, "d")));
    assert!(queries.may_wait(&result(&"x".repeat(limit::UNASKED_BYTES - 1))));
    assert!(!queries.may_wait(&result(&"x".repeat(limit::UNASKED_BYTES + 1))));
    queries.ask_session("d".into(), Question { unasked, ..question(1, "p") });
    queries.follow(&Nick::new("bob"), &Nick::new("bobby"));
    let asked = queries.take_unasked(SessionId(1));
    assert_eq!(asked, [Kept::own(by("lounge@rooms.example/bobby", "d"))]);
    assert!(queries.take_unasked(SessionId(1)).is_empty());
}

#[test]
fn a_leave_ends_what_nobody_answers_soon() {
    let mut queries = Queries::default();
    queries.ask_occupant("x".into(), 10, query(1, "q"));
    queries.ask_session("d".into(), question(1, "p"));
    queries.ask_occupant("y".into(), 10, query(1, "q"));
    queries.hurry(20);
    assert_eq!(queries.deadline(), Some(20));
    assert_eq!(queries.answered_by_session(&to(BOB, "d"), SessionId(1)), None);
    assert_eq!(queries.answered(&by(BOB, "x")), Some(query(1, "q")));
    assert_eq!(queries.end_stay(), [query(1, "q")]);
    assert!(!queries.are_open());
}
