//! Random hostile events: the core decides something, nothing breaks, and no call costs more than it pays for.
//!
//! `make fuzz-core` plays many stories, and counts the work of each call. By itself `cargo test --test fuzz` plays a few of
//! them and counts only what is allocated. `FUZZ_STORIES` is how many, or `FUZZ_SECONDS` for how long, and `FUZZ_SEED` which.
//! `FUZZ_STORY` names a file, which is played alone.

#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
#![allow(clippy::cast_precision_loss, clippy::format_push_string, clippy::format_collect)]

#[path = "fuzz/answers.rs"]
mod answers;
#[path = "fuzz/bound.rs"]
mod bound;
#[path = "fuzz/climb.rs"]
mod climb;
#[path = "fuzz/events.rs"]
mod events;
#[path = "fuzz/make.rs"]
mod make;
#[path = "fuzz/play.rs"]
mod play;
#[path = "fuzz/random.rs"]
mod random;
#[path = "fuzz/shrink.rs"]
mod shrink;
#[path = "fuzz/step.rs"]
mod step;
#[path = "fuzz/words.rs"]
mod words;
#[path = "fuzz/work.rs"]
mod work;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::bound::Bound;
use crate::climb::Dearest;
use crate::play::World;
use crate::random::Random;
use crate::step::{Step, read_story, write_story};

/// How many steps a story has at most, besides its openings.
const STEPS: usize = 60;
/// How many stories are played if neither a number nor a time is given.
const STORIES: u64 = 60;
/// For so many stories one stanza is tried in each place to find the dearest one, if no time is given.
const STORIES_PER_TRY: u64 = 12;
/// So much work may one stanza of 10 kB be: about 20 ms on a slow core, while it is counted.
const HOLD: u64 = 2_000_000;

/// What is counted is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable).and_then(|value| value.to_str()?.parse().ok())
}

/// Plays a story; an error says what is wrong.
fn play(story: &[Step], is_only_measured: bool) -> Result<Bound, String> {
    let played =
        panic::catch_unwind(AssertUnwindSafe(|| World::new(Bound::new(is_only_measured)).play(story).bound));
    played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
    })
}

/// The beginning of what is wrong, by which faults are told apart.
fn fault_of(reason: &str) -> &str {
    reason.split([',', ':', '(']).next().unwrap_or(reason)
}

fn fail(story: Vec<Step>, reason: &str, seed: u64) -> ! {
    let fault = fault_of(reason).to_owned();
    let short =
        shrink::shrink(story, |story| play(story, false).is_err_and(|reason| fault_of(&reason) == fault));
    let reason = play(&short, false).err().unwrap_or_else(|| reason.to_owned());
    panic!("seed {seed}: {reason}\nas a file of tests/fuzz/corpus:\n{}", write_story(&short));
}

fn without_panic_messages<T>(run: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let given = panic::catch_unwind(AssertUnwindSafe(run));
    panic::set_hook(hook);
    given.unwrap_or_else(|panic| panic!("{}", panic.downcast_ref::<String>().expect("a text")))
}

fn is_time_over(begun: Instant, stories: u64) -> bool {
    match number("FUZZ_SECONDS") {
        Some(seconds) => begun.elapsed() >= Duration::from_secs(seconds),
        None => stories >= most_stories() || std::env::var_os("FUZZ_STORY").is_some(),
    }
}

fn most_stories() -> u64 {
    number("FUZZ_STORIES").unwrap_or(STORIES)
}

/// What is known to have failed once comes first, then what chance brings.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long is played is a matter of time")]
fn nothing_hostile_breaks_the_core_or_costs_more_than_it_pays() {
    let _alone = ALONE.lock();
    let mut all = Bound::default();
    without_panic_messages(|| {
        for (name, story) in corpus() {
            match play(&story, number("FUZZ_MEASURE").is_some()) {
                Ok(bound) => all.add(&bound),
                Err(reason) => panic!("{name}: {reason}"),
            }
        }
        let (begun, first) = (Instant::now(), number("FUZZ_SEED").unwrap_or(1));
        let mut stories = 0;
        while !is_time_over(begun, stories) {
            let seed = first.wrapping_add(stories);
            let story = make::story(&mut Random::new(seed), STEPS);
            match play(&story, number("FUZZ_MEASURE").is_some()) {
                Ok(bound) => all.add(&bound),
                Err(reason) => fail(story, &reason, seed),
            }
            stories += 1;
        }
        println!(
            "{stories} stories, {} calls; of what it may, each kind of event has cost at most:",
            all.calls
        );
    });
    for (kind, (percent, bill)) in &all.dearest {
        println!("{percent:>6} %  {kind}: {bill:?}");
    }
    let is_to_count = number("FUZZ_COUNTS").is_some();
    assert!(work::counts_blocks() || !is_to_count, "the compiler was not told to count");
}

/// How long it takes, the least of three times.
#[expect(clippy::disallowed_methods, reason = "it tells how long what was found takes here")]
fn time(place: &str, dearest: &Dearest) -> Duration {
    let times = (0..3).map(|_| {
        let mut world = dearest.world(place);
        let begun = Instant::now();
        world.step(&dearest.step, 0);
        begun.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long is searched is a matter of time")]
fn no_stanza_of_ten_kilobytes_holds_the_server_for_long() {
    let _alone = ALONE.lock();
    let seconds = number("FUZZ_SECONDS").map(|seconds| Duration::from_secs_f64(seconds as f64 / 40.0));
    let mut random = Random::new(number("FUZZ_SEED").unwrap_or(1));
    for (name, place) in climb::PLACES {
        for is_of_session in [true, false] {
            let (begun, mut tries) = (Instant::now(), 0);
            let dearest = climb::climb(&mut random, place, is_of_session, || {
                tries += 1;
                seconds.map_or(tries <= most_stories() / STORIES_PER_TRY, |seconds| {
                    tries <= 1 || begun.elapsed() < seconds
                })
            });
            let took = time(place, &dearest);
            let text = dearest.step.to_string();
            let shown: String = text.chars().take(150).collect();
            println!("{name}, {tries} tried: {}, {took:?}, {} bytes: {shown}", dearest.work, text.len());
            assert!(dearest.work <= HOLD, "{name}: too dear\n{}{text}", write_story(&dearest.before));
        }
    }
}

fn corpus() -> Vec<(String, Vec<Step>)> {
    if let Some(path) = std::env::var_os("FUZZ_STORY") {
        let text = String::from_utf8(std::fs::read(&path).expect("the story")).expect("a text");
        return vec![(path.display().to_string(), read_story(&text))];
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut files: Vec<_> =
        folder.read_dir().expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|name| name == "txt"));
    files.sort();
    let read = |path: &std::path::PathBuf| std::fs::read(path).expect("a story");
    files
        .iter()
        .map(|path| {
            let text = String::from_utf8(read(path)).expect("a text");
            (path.display().to_string(), read_story(&text))
        })
        .collect()
}
