//! What is kept has limits by what it costs: of a room, an account, a domain and the process (R7).
//!
//! The figures are of the process. So the tests run one after the other, as one.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, clippy::cast_possible_truncation, missing_docs)]

#[path = "budgets/logged.rs"]
mod logged;
#[path = "budgets/scene.rs"]
mod scene;
#[path = "budgets/worst.rs"]
mod worst;

use minimix_core::config::{Config, MEBIBYTE, limit};

use crate::logged::logged;
use crate::scene::{Scene, dear, is_refused};

const FAR: &str = "rooms.far.example";

#[test]
fn r7_each_limit_holds() {
    log::set_logger(&logged::LOGGER).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    a_room_that_costs_too_much_loses_its_history_then_shows_nobody_new();
    what_is_let_go_makes_space();
    an_account_that_keeps_too_much_joins_no_further_room();
    a_domain_that_costs_too_much_hurts_no_other();
    a_domain_with_many_rooms_may_keep_more();
    the_process_keeps_no_more_than_its_limit();
    rooms_that_are_silent_pay_first_for_what_the_process_keeps();
    one_room_after_the_other_pays_for_the_process();
    a_room_pays_its_own_excess_also_while_another_pays_for_the_process();
    what_all_accounts_share_is_paid_once();
    a_limit_is_told_once_a_minute();
    worst::one_account_one_domain_and_one_occupant_cause_no_more_than_is_told();
}

fn a_room_that_costs_too_much_loses_its_history_then_shows_nobody_new() {
    let mut scene = Scene::new(Config { room_memory: MEBIBYTE, ..Config::default() });
    let room = format!("lounge@{FAR}");
    scene.is_in("alice", &room);
    for number in 0..5 {
        scene.says(&room, number, &dear(20_000));
    }
    assert_eq!(scene.copy(&room).messages, 5);
    for number in 0..100 {
        scene.comes(&room, number, &dear(20_000));
    }
    let copy = scene.copy(&room);
    assert_eq!(copy.messages, 0, "the history went first");
    assert!((40..60).contains(&copy.occupants), "{copy:?}");
    assert_eq!(scene.comes(&room, 200, ""), 1, "who is not kept is shown live");
    assert_eq!(scene.says(&room, 6, "hello"), 1);
}

fn what_is_let_go_makes_space() {
    let mut scene = Scene::new(Config { room_memory: MEBIBYTE, ..Config::default() });
    let room = format!("lounge@{FAR}");
    scene.is_in("alice", &room);
    for number in 0..100 {
        scene.comes(&room, number, &dear(20_000));
    }
    for number in 0..20 {
        scene.goes(&room, number);
    }
    let before = scene.copy(&room).occupants;
    scene.comes(&room, 200, "");
    scene.says(&room, 1, "hello");
    let copy = scene.copy(&room);
    assert_eq!((copy.occupants, copy.messages), (before + 1, 1));
}

fn an_account_that_keeps_too_much_joins_no_further_room() {
    let mut scene = Scene::new(Config { account_memory: 4 * MEBIBYTE, ..Config::default() });
    for number in 0..4 {
        let room = format!("r{number}@s{number}.example");
        scene.is_in("alice", &room);
        for number in 0..50 {
            scene.comes(&room, number, &dear(20_000));
        }
    }
    assert!(is_refused(&scene.asks_to_join("alice", "den@rooms.example")));
    assert!(!is_refused(&scene.asks_to_join("bob", "den@rooms.example")), "another account");
    assert!(scene.copy("r0@s0.example").occupants >= 40, "a room that it is in is shown");
    assert!(scene.kept() < 4 * MEBIBYTE, "{}", scene.kept());
}

fn a_domain_that_costs_too_much_hurts_no_other() {
    let mut scene = Scene::new(Config { domain_memory: 2 * MEBIBYTE, ..Config::default() });
    let honest = "lounge@rooms.example";
    scene.is_in("alice", honest);
    scene.says(honest, 1, "hello");
    for account in 0..10 {
        for number in 0..10 {
            let room = format!("r{number}@{FAR}");
            scene.is_in(&format!("account{account}"), &room);
            for number in 0..10 {
                scene.comes_to(&format!("account{account}"), &room, number, &dear(20_000 + account));
            }
        }
    }
    assert!(scene.kept() < 3 * MEBIBYTE, "{}", scene.kept());
    scene.comes(honest, 1, "");
    scene.says(honest, 2, "hello again");
    let copy = scene.copy(honest);
    assert_eq!((copy.occupants, copy.messages), (1, 2));
}

fn a_domain_with_many_rooms_may_keep_more() {
    let mut scene = Scene::new(Config { domain_memory: 0, ..Config::default() });
    let room = format!("lounge@{FAR}");
    scene.is_in("alice", &room);
    for number in 0..100 {
        scene.is_in("alice", &format!("r{number}@{FAR}"));
    }
    for number in 0..1_000 {
        scene.comes(&room, number, &dear(2_000));
    }
    let kept = scene.copy(&room).occupants * 2_000;
    let most = limit::DOMAIN_COST_OF_ROOM * 101 / 4 * 3;
    assert!((most / 3 * 2..most).contains(&kept), "{kept}");
}

fn the_process_keeps_no_more_than_its_limit() {
    let mut scene = Scene::new(Config { memory: 3 * MEBIBYTE, ..Config::default() });
    for number in 0..10 {
        let (account, room) = (format!("account{number}"), format!("lounge@s{number}.example"));
        scene.is_in(&account, &room);
        for number in 0..50 {
            scene.comes_to(&account, &room, number, &dear(20_000));
        }
    }
    assert!((2 * MEBIBYTE..4 * MEBIBYTE).contains(&scene.kept()), "{}", scene.kept());
    assert!(!is_refused(&scene.asks_to_join("alice", "den@rooms.example")), "it goes on without a copy");
}

/// Who fills the memory and falls silent takes nothing from those who talk (H2).
fn rooms_that_are_silent_pay_first_for_what_the_process_keeps() {
    let mut scene = Scene::new(Config { memory: 3 * MEBIBYTE, history_bytes: MEBIBYTE, ..Config::default() });
    let room = |number: usize| format!("r{number}@s{number}.example");
    let text = |number: usize| format!("{number} {}", "t".repeat(20_000));
    for number in 0..6 {
        scene.is_in(&format!("account{number}"), &room(number));
    }
    for number in 0..200 {
        let talks = number / 40;
        scene.says_to(&format!("account{talks}"), &room(talks), number, &text(number));
        scene.now_ms += 1_000;
        scene.does_what_is_due();
    }
    let messages: Vec<usize> =
        (0..5).map(|number| scene.copy_of(&format!("account{number}"), &room(number)).messages).collect();
    assert_eq!(messages[4], 40, "{messages:?}");
    assert_eq!(messages[0], 0, "{messages:?}");
    assert!(messages[2] + messages[3] >= 78, "{messages:?}");
    assert!((2 * MEBIBYTE..4 * MEBIBYTE).contains(&scene.kept()), "{}", scene.kept());
}

/// More rooms than are looked at for one that pays, and more is said than one room is woken for.
fn one_room_after_the_other_pays_for_the_process() {
    let mut scene = Scene::new(Config { memory: 3 * MEBIBYTE, ..Config::default() });
    let room = |number: usize| format!("r{number:02}@s{number}.example");
    let text = |number: usize| format!("{number} {}", "t".repeat(20_000));
    for number in 0..limit::PAYERS + 5 {
        scene.is_in(&format!("account{number:02}"), &room(number));
    }
    let mut calls = Vec::new();
    for number in 0..300 {
        let talks = number % (limit::PAYERS + 4);
        scene.says_to(&format!("account{talks:02}"), &room(talks), number, &text(number));
        scene.now_ms += 1;
        if number % 3 == 2 {
            calls.push(scene.does_what_is_due());
        }
    }
    assert!(calls.iter().all(|calls| *calls <= 5), "{calls:?}");
    assert!((2 * MEBIBYTE..4 * MEBIBYTE).contains(&scene.kept()), "{}", scene.kept());
}

/// What the process keeps too much is more than what the room does.
fn a_room_pays_its_own_excess_also_while_another_pays_for_the_process() {
    let config = Config { memory: 3 * MEBIBYTE, room_memory: MEBIBYTE / 2, ..Config::default() };
    let mut scene = Scene::new(Config { history_bytes: 2 * MEBIBYTE, ..config });
    let room = |number: usize| format!("r{number}@s{number}.example");
    let text = |number: usize| format!("{number} {}", "t".repeat(20_000));
    let says = |scene: &mut Scene, talks: usize, number: usize| {
        scene.says_to(&format!("account{talks}"), &room(talks), number, &text(number));
        scene.now_ms += 1;
    };
    for number in 0..8 {
        scene.is_in(&format!("account{number}"), &room(number));
    }
    let said = [(1, 19), (2, 19), (3, 19), (4, 19), (5, 19), (6, 19), (7, 15), (0, 25), (7, 6), (0, 5)];
    let all = said.into_iter().flat_map(|(talks, times)| std::iter::repeat_n(talks, times));
    for (number, talks) in all.enumerate() {
        says(&mut scene, talks, number);
    }
    let copy = scene.copy_of("account0", &room(0));
    assert!((24..=26).contains(&copy.messages), "{copy:?}");
}

fn what_all_accounts_share_is_paid_once() {
    let mut scene = Scene::new(Config { domain_memory: 2 * MEBIBYTE, ..Config::default() });
    let room = format!("lounge@{FAR}");
    for account in 0..20 {
        let account = format!("account{account}");
        scene.is_in(&account, &room);
        for number in 0..50 {
            scene.comes_to(&account, &room, number, &dear(20_000));
        }
    }
    assert_eq!(scene.copy_of("account19", &room).occupants, 50);
}

fn a_limit_is_told_once_a_minute() {
    let mut scene = Scene::new(Config { room_memory: 0, ..Config::default() });
    let room = format!("lounge@{FAR}");
    logged();
    scene.is_in("alice", &room);
    for number in 0..10 {
        scene.comes(&room, number, "");
    }
    assert_eq!(logged(), ["a room is kept in part only: minimix_room_memory is reached"]);
    scene.now_ms += 60_000;
    scene.comes(&room, 11, "");
    scene.comes(&room, 12, "");
    assert_eq!(logged().len(), 1);
}
