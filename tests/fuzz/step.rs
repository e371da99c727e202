//! One thing that happens, as a line of text.
//!
//! In a line `$id` is the id of what the account sent last, `$before` of what it sent before that, `$record` what was
//! stored last, and `%n` how often `times` has repeated the step.

use std::fmt;

/// The accounts; session `n` is of the account at `n` modulo their number.
pub(crate) const ACCOUNTS: [&str; 3] = ["alice@example.org", "bob@example.org", "carol@example.org"];
/// How many sessions there are.
pub(crate) const SESSIONS: u32 = 9;

/// The account of a session.
pub(crate) fn account_of(session: u32) -> &'static str {
    ACCOUNTS[session as usize % ACCOUNTS.len()]
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A session sends a stanza.
    Sends(u32, String),
    /// A room sends one; its addresses are its own.
    Comes(String),
    /// A stanza does not reach a session.
    Fails(u32, String),
    /// Rooms answer so much of what they were sent, as good ones do.
    Answers(usize),
    Waits(u64),
    /// The time of day jumps.
    ClockJumps(i64),
    Reload,
    /// Something else, in words; `crate::play` knows which.
    Other(String),
    Times(usize, Box<Step>),
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends(session, xml) => write!(out, "D{session}> {xml}"),
            Self::Comes(xml) => write!(out, "room> {xml}"),
            Self::Fails(session, xml) => write!(out, "fails {session} {xml}"),
            Self::Answers(count) => write!(out, "answers {count}"),
            Self::Waits(milliseconds) => write!(out, "wait {milliseconds}"),
            Self::ClockJumps(milliseconds) => write!(out, "clock {milliseconds}"),
            Self::Reload => write!(out, "reload"),
            Self::Other(words) => write!(out, "{words}"),
            Self::Times(count, step) => write!(out, "times {count} {step}"),
        }
    }
}

impl Step {
    pub(crate) fn read(line: &str) -> Self {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = |text: &str| text.parse().expect("a number");
        match word {
            "room>" => Self::Comes(rest.to_owned()),
            "fails" => {
                let (session, xml) = rest.split_once(' ').expect("a session and a stanza");
                Self::Fails(number(session), xml.to_owned())
            }
            "answers" => Self::Answers(rest.parse().expect("how many")),
            "wait" => Self::Waits(rest.parse().expect("how long")),
            "clock" => Self::ClockJumps(rest.parse().expect("how far")),
            "reload" => Self::Reload,
            "times" => {
                let (count, step) = rest.split_once(' ').expect("how often, and what");
                Self::Times(count.parse().expect("how often"), Box::new(Self::read(step)))
            }
            _ => match word.strip_prefix('D').and_then(|word| word.strip_suffix('>')) {
                Some(session) => Self::Sends(number(session), rest.to_owned()),
                None => Self::Other(line.to_owned()),
            },
        }
    }
}

/// Reads a story: a step in each line. Lines that begin with `//` are for the reader.
pub(crate) fn read_story(text: &str) -> Vec<Step> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("//"));
    lines.map(Step::read).collect()
}

/// Writes one.
pub(crate) fn write_story(story: &[Step]) -> String {
    story.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
