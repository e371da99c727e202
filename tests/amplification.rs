//! Little that one session says does not become much that its account says to rooms (R7): at most ten bytes for each of its
//! bytes, in any ten seconds. Not counted is one presence a room for the end of a session or an avatar; of those an account
//! sends twenty a second.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    missing_docs
)]

#[path = "amplification/kinds.rs"]
mod kinds;
#[path = "amplification/room.rs"]
mod room;
#[path = "amplification/scene.rs"]
mod scene;

use crate::kinds::{KINDS, Kind};
use crate::room::Pace;
use crate::scene::{ROOMS, Scene, room};

const MINUTE_MS: u64 = 60_000;
const LONG_MS: u64 = 15_000;
/// What an account may tell its rooms in ten seconds whatever is said to it: the largest presence that stands for it, what
/// is owed at most, and what comes anew.
const UNPAID: usize = 16 * 1024 + 4 * 1024 + 10 * 256;

/// Plays kinds of stanzas, one after the other as they are told, at that many bytes a second.
fn play(kinds: &[&Kind], rate: u64, pace: Pace, seed: u64) -> Scene {
    let mut scene = Scene::new(pace);
    scene.fill_rooms();
    let (begun_ms, mut received, mut number) = (scene.now_ms, 0, seed);
    while scene.now_ms < begun_ms + LONG_MS {
        let kind = kinds[usize::try_from(mixed(number) >> 32).unwrap() % kinds.len()];
        received += kind.play(&mut scene, mixed(number));
        number += 1;
        scene.wait_until(begun_ms + received * 1_000 / rate);
    }
    scene
}

/// A number that looks random (`SplitMix64`).
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[track_caller]
fn is_paid(kinds: &[&Kind], rate: u64, pace: Pace, seed: u64) {
    let scene = play(kinds, rate, pace, seed);
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    let (received, sent) = scene.worst_window();
    println!("{:5.1} {rate:6} B/s {pace:?} {}", sent as f64 / received.max(1) as f64, names.join(", "));
    let most = if rate < 1_000 { 10 * received + UNPAID } else { 10 * received };
    assert!(
        sent <= most,
        "{names:?}, {rate} bytes a second, rooms that answer {pace:?}, seed {seed}: {received} bytes become {sent}"
    );
}

#[test]
fn r7_no_kind_of_stanza_makes_ten_bytes_of_one() {
    for kind in KINDS {
        for rate in [100, 1_000, 10_000] {
            is_paid(&[kind], rate, Pace::AtOnce, 0);
        }
        is_paid(&[kind], 1_000, Pace::InASecond, 0);
    }
}

#[test]
fn r7_no_mixture_of_stanzas_makes_ten_bytes_of_one() {
    for seed in 0..40 {
        let count = 2 + usize::try_from(mixed(seed) % 3).unwrap();
        let chosen = (0..count).map(|nth| mixed(seed << 8 | nth as u64) as usize % KINDS.len());
        let kinds: Vec<&Kind> = chosen.map(|number| &KINDS[number]).collect();
        let pace = if seed % 2 == 0 { Pace::AtOnce } else { Pace::InASecond };
        is_paid(&kinds, [1_000, 10_000][seed as usize / 2 % 2], pace, seed << 20);
    }
}

/// The rooms are told in the order in which they have begun to wait, each of them once, and what it is told is true then.
#[test]
fn r7_what_no_session_has_said_goes_up_twenty_a_second() {
    for (name, times) in [("end and joins", 1), ("avatar", 5)] {
        let mut scene = Scene::new(Pace::AtOnce);
        scene.fill_rooms();
        for number in 0..times {
            scene.is_told_to_all(if name == "avatar" { kinds::new_avatar(number) } else { kinds::end() }, 0);
            scene.wait_until(scene.now_ms + 100);
        }
        scene.wait_until(scene.now_ms + MINUTE_MS);
        assert_eq!(scene.most_told_a_second(|_| true), 20, "{name}");
        assert_eq!(scene.most_told_a_second(|name| name == room(0)), 1, "{name}");
        let expected = if name == "avatar" { ROOMS + 20 } else { ROOMS };
        assert_eq!(scene.told.len() as u64, expected, "{name}: what waits is computed anew");
    }
}

/// Whatever waits because it is not paid for, the room is shown in the end.
#[test]
fn r7_what_is_owed_is_told_in_the_end() {
    let mut scene = play(&[&KINDS[0]], 1_000, Pace::AtOnce, 0);
    kinds::show(&mut scene, 0, 0);
    assert!(scene.is_shown_mallory(), "what the session sends is not held");
    kinds::show(&mut scene, 0, 1);
    assert!(scene.is_shown_mallory(), "another's presence waits");
    scene.wait_until(scene.now_ms + 2 * MINUTE_MS);
    assert!(!scene.is_shown_mallory());
}
