//! Golden stories: what happens, and below each event all that the core answers. The first line of a story
//! says its rule and the statements it shows. `UPDATE=1 cargo test --test transcripts` rewrites the answers.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)]

#[path = "transcripts/scene.rs"]
mod scene;
#[path = "transcripts/shorthand.rs"]
mod shorthand;

use std::fs;
use std::path::{Path, PathBuf};

use scene::Scene;

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("a story").path());
    let mut stories: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    stories.sort();
    stories
}

/// Tells a story again: the events as they stand, the answers as they come out.
fn retell(story: &str) -> String {
    let mut scene = Scene::new();
    let mut told = String::new();
    for line in story.lines().filter(|line| !line.starts_with("  ")) {
        told.push_str(line);
        told.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            for answer in scene.play(line) {
                told.push_str("  ");
                told.push_str(&answer);
                told.push('\n');
            }
        }
    }
    told
}

#[test]
fn every_story_is_told_as_it_is_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let stories = stories();
    assert!(!stories.is_empty());
    for path in stories {
        let written = fs::read_to_string(&path).expect("a story");
        let told = retell(&written);
        if update {
            fs::write(&path, told).expect("write the story");
        } else if told != written {
            wrong.push(difference(&path, &written, &told));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn difference(path: &Path, written: &str, told: &str) -> String {
    let line = written.lines().zip(told.lines()).take_while(|(one, other)| one == other).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(ends)").to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}:{}\n  written: {}\n  told:    {}", line + 1, at(written), at(told))
}

#[test]
fn a_story_survives_a_reload_at_every_point() {
    for path in stories() {
        let story = fs::read_to_string(&path).expect("a story");
        if story.contains(" times ") {
            continue; // too long to be told again and again
        }
        let steps = story.lines().filter(|line| scene::is_event(line)).count();
        let without = retell(&story);
        for step in 0..steps {
            let told = retell_with_reload(&story, step);
            assert_eq!(told, without, "{} with a reload at step {step}", path.display());
        }
    }
}

fn retell_with_reload(story: &str, step: usize) -> String {
    let mut scene = Scene::new();
    let mut told = String::new();
    let mut events = 0;
    for line in story.lines().filter(|line| !line.starts_with("  ")) {
        told.push_str(line);
        told.push('\n');
        if scene::is_event(line) {
            if events == step {
                scene.reload();
            }
            events += 1;
            for answer in scene.play(line) {
                told.push_str("  ");
                told.push_str(&answer);
                told.push('\n');
            }
        }
    }
    told
}
