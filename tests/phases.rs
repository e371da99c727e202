//! Every stanza in every phase: what comes of it, for each session that may send it. A file of `tests/phases/` is a
//! phase. Its head says how it is reached; `UPDATE=1 cargo test --test phases` writes the rest.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::wildcard_enum_match_arm)] // of all that can happen a rule looks at one or two

#[path = "phases/assertions.rs"]
mod assertions;
#[path = "transcripts/bookmarks.rs"]
mod bookmarks;
#[path = "phases/kinds.rs"]
mod kinds;
#[allow(dead_code)] // of the stories only the forms of their events and answers are used here
#[path = "transcripts/log.rs"]
mod log;
#[path = "transcripts/push.rs"]
mod push;
#[path = "phases/room.rs"]
mod room;
#[allow(dead_code)]
#[path = "transcripts/scene.rs"]
mod scene;
#[path = "transcripts/service.rs"]
mod service;
#[allow(dead_code)]
#[path = "transcripts/shorthand/mod.rs"]
mod shorthand;
#[path = "phases/stage.rs"]
mod stage;
#[allow(dead_code)]
#[path = "transcripts/stores.rs"]
mod stores;
#[allow(dead_code)]
#[path = "transcripts/story.rs"]
mod story;
#[path = "phases/table.rs"]
mod table;
#[allow(dead_code)]
#[path = "transcripts/tell.rs"]
mod tell;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use table::Phase;

fn phases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/phases");
    let files = fs::read_dir(folder).expect("the phases").map(|entry| entry.expect("a phase").path());
    let mut phases: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    phases.sort();
    phases
}

#[test]
fn every_stanza_is_dealt_with_in_every_phase_as_it_is_written() {
    let phases = phases();
    assert!(!phases.is_empty());
    let wrong: Vec<String> = thread::scope(|scope| {
        let played: Vec<_> = phases.iter().map(|path| scope.spawn(|| play(path))).collect();
        played.into_iter().flat_map(|phase| phase.join().expect("a phase to the end")).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays a phase; what is wrong with it.
fn play(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let written = fs::read_to_string(path).expect("a phase");
    let phase = Phase::read(&written);
    let told = phase.tell();
    phase.play_pairs();
    let mut wrong: Vec<_> = phase.faults().into_iter().map(|fault| format!("{name}: {fault}")).collect();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, told).expect("write the phase");
    } else if told != written {
        wrong.push(difference(&name, &written, &told));
    }
    wrong
}

#[test]
fn no_line_is_too_long_to_be_read() {
    for path in phases() {
        let written = fs::read_to_string(&path).expect("a phase");
        let is_long = |line: &&str| line.chars().count() > story::WIDTH;
        assert_eq!(written.lines().find(is_long), None, "{}", path.display());
    }
}

fn difference(name: &str, written: &str, told: &str) -> String {
    let line = written.lines().zip(told.lines()).take_while(|(one, other)| one == other).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(ends)").to_owned();
    format!("{name}:{}\n  written: {}\n  told:    {}", line + 1, at(written), at(told))
}
