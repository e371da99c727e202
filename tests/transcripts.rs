//! Golden stories: what happens, and below each event all that the core answers. The first line of a story
//! says its rule and the statements it shows. `UPDATE=1 cargo test --test transcripts` rewrites the answers.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)]

#[path = "transcripts/bookmarks.rs"]
mod bookmarks;
#[path = "transcripts/log.rs"]
mod log;
#[path = "transcripts/push.rs"]
mod push;
#[path = "transcripts/scene.rs"]
mod scene;
#[path = "transcripts/service.rs"]
mod service;
#[path = "transcripts/shorthand/mod.rs"]
mod shorthand;
#[path = "transcripts/stores.rs"]
mod stores;
#[path = "transcripts/story.rs"]
mod story;
#[path = "transcripts/tell.rs"]
mod tell;

use std::fs;
use std::path::{Path, PathBuf};

use minimix_core::xmpp::stanza::{Kind, PresenceType};
use scene::Scene;
use shorthand::Way;

fn stories() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("a story").path());
    let mut stories: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    stories.sort();
    stories
}

/// Tells a story again: the events as they stand, the answers as they come out. The module can be reloaded
/// before one of the events.
fn retell(story: &str, reload_before: Option<usize>) -> String {
    let mut scene = Scene::new();
    let mut told = String::new();
    let mut events = 0;
    for step in story::steps(story) {
        told.push_str(&step.written);
        let Some(event) = step.event else { continue };
        if reload_before == Some(events) {
            scene.reload();
        }
        events += 1;
        told.extend(scene.play(&event).iter().map(|answer| story::answer(answer)));
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
        let told = retell(&written, None);
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
        let events = story::steps(&story).iter().filter(|step| step.event.is_some()).count();
        let without = retell(&story, None);
        for event in 0..events {
            let told = retell(&story, Some(event));
            assert_eq!(told, without, "{} with a reload before event {event}", path.display());
        }
    }
}

#[test]
fn no_line_is_too_long_to_be_read() {
    for path in stories() {
        for (position, line) in fs::read_to_string(&path).expect("a story").lines().enumerate() {
            let length = line.chars().count();
            assert!(length <= story::WIDTH, "{}:{} has {length} characters", path.display(), position + 1);
        }
    }
}

#[test]
fn what_is_told_is_read_as_the_same() {
    let mut count = 0;
    for path in stories() {
        for step in story::steps(&fs::read_to_string(&path).expect("a story")) {
            count += answers_read_and_told_again(&step.answers);
            count += usize::from(step.event.as_deref().is_some_and(is_told_and_read_again));
        }
    }
    assert!(count > 2_000, "only {count} stanzas");
}

fn answers_read_and_told_again(answers: &[String]) -> usize {
    let stanzas = answers.iter().filter_map(|answer| {
        let (who, told) = answer.split_once(" < ")?;
        Some((Way::of_answer(who)?, told)).filter(|_| !told.ends_with("of the crowd"))
    });
    stanzas.map(|(way, told)| assert_eq!(way.write(&way.read(told)), told)).count()
}

/// Whether it is a stanza at all. A subscription can only be told as it is: its type is not kept.
fn is_told_and_read_again(event: &str) -> bool {
    let Some((who, told)) = event.split_once("> ") else { return false };
    let Some(way) = Way::of_event(who) else { return false };
    let stanza = way.try_read(told).ok().filter(|stanza| stanza.kind != Kind::Presence(PresenceType::Other));
    let Some(stanza) = stanza else { return false };
    assert_eq!(way.read(&way.write(&stanza)), stanza, "{event}");
    true
}
