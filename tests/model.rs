//! Random stories against a simple model: a stock room, and sessions that believe only what they are sent.
//!
//! `MODEL_CASES=5000 cargo test --test model` plays more of them, `MODEL_SEED=2` others.

#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

#[path = "model/archive.rs"]
mod archive;
#[path = "model/assertions.rs"]
mod assertions;
#[path = "model/belief.rs"]
mod belief;
#[path = "model/client.rs"]
mod client;
#[path = "model/hostile.rs"]
mod hostile;
#[path = "model/join.rs"]
mod join;
#[path = "model/notes.rs"]
mod notes;
#[path = "model/people.rs"]
mod people;
#[path = "model/play.rs"]
mod play;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/stanzas.rs"]
mod stanzas;
#[path = "model/transition.rs"]
mod transition;
#[path = "model/world.rs"]
mod world;

use std::panic;
use std::sync::Mutex;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// How many stories are played, and of how many steps at most.
const CASES: u64 = 2_000;
const STEPS: usize = 60;

fn number(variable: &str, otherwise: u64) -> u64 {
    let value = std::env::var_os(variable).and_then(|value| value.to_str()?.parse().ok());
    value.unwrap_or(otherwise)
}

fn runner() -> TestRunner {
    let cases = u32::try_from(number("MODEL_CASES", CASES)).expect("not so many");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("MODEL_SEED", 1).to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// Plays stories until one fails, cuts that one short and plays it once more, for all to see.
fn play_all<S: Strategy>(stories: &S, play: impl Fn(&S::Value), retell: impl Fn(&S::Value)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock(); // there is one panic hook
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {})); // a story that fails is played many times while it is cut short
    let result = runner().run(stories, |story| {
        play(&story);
        Ok(())
    });
    panic::set_hook(hook);
    if let Err(TestError::Fail(reason, story)) = result {
        eprintln!("{reason}\n{story:#?}");
        retell(&story);
        panic!("fails only once: {reason}");
    }
}

#[test]
fn sessions_see_what_the_room_is() {
    play_all(&transition::stories(STEPS), |story| play::play(story, false), |story| play::play(story, true));
}

#[test]
fn h14_sessions_see_what_the_room_is_after_losses() {
    let stories = transition::stories_of_losses(STEPS);
    play_all(&stories, |story| play::play(story, false), |story| play::play(story, true));
}

#[test]
fn nothing_hostile_breaks_the_core() {
    play_all(&hostile::steps(STEPS), |steps| hostile::play(steps), |steps| hostile::play(steps));
}
