//! A story as it is written: comments, events, and below each event the answers, indented by two spaces. A line
//! that is indented by four goes on with the one above, from the fifth character on.

/// How long a line may be.
pub(crate) const WIDTH: usize = 150;
const ANSWER: &str = "  ";
const MORE: &str = "    ";

/// A comment, an empty line, or an event with its answers.
pub(crate) struct Step {
    /// The event or comment as it is written, with its ends of line.
    pub(crate) written: String,
    /// In one line, if it is an event.
    pub(crate) event: Option<String>,
    /// A line each.
    pub(crate) answers: Vec<String>,
}

/// The steps of a story.
pub(crate) fn steps(story: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in story.lines() {
        match steps.last_mut().filter(|_| line.starts_with(ANSWER)) {
            Some(step) => step.take(line),
            None => steps.push(Step::new(line)),
        }
    }
    steps
}

impl Step {
    fn new(line: &str) -> Self {
        let is_event = !line.is_empty() && !line.starts_with('#');
        let event = is_event.then(|| line.to_owned());
        Self { written: format!("{line}\n"), event, answers: Vec::new() }
    }

    /// Takes an indented line.
    fn take(&mut self, line: &str) {
        match (line.strip_prefix(MORE), self.answers.last_mut()) {
            (Some(more), Some(answer)) => answer.push_str(more),
            (Some(more), None) => {
                self.event.as_mut().expect("an event to go on with").push_str(more);
                self.written.extend([line, "\n"]);
            }
            (None, _) => self.answers.push(line[ANSWER.len()..].to_owned()),
        }
    }
}

/// An answer, with its ends of line.
pub(crate) fn answer(answer: &str) -> String {
    folded(&format!("{ANSWER}{answer}"))
}

/// A line broken into lines that are not too long: before an element if possible, else before a space.
fn folded(line: &str) -> String {
    let mut told = String::new();
    let mut rest = line.to_owned();
    while let Some(end) = too_long(&rest) {
        told.push_str(&rest[..end]);
        told.push('\n');
        rest = format!("{MORE}{}", &rest[end..]);
    }
    told + &rest + "\n"
}

/// Where a line is to be broken, if it is too long.
fn too_long(line: &str) -> Option<usize> {
    let (limit, _) = line.char_indices().nth(WIDTH)?;
    let ends = || (MORE.len() + 1..=limit).rev().filter(|end| line.is_char_boundary(*end));
    let before =
        |start: char| move |end: &usize| line[*end..].starts_with(start) && !line[..*end].ends_with(' ');
    let element = ends().find(|end| before('<')(end) && !line[*end..].starts_with("</"));
    element.or_else(|| ends().find(before(' '))).or(Some(limit))
}

#[test]
fn an_answer_of_any_length_is_one_answer() {
    for (part, count) in [("ü", 500), ("<a/>", 100), ("one two ", 60), ("<b c='d'>e f</b>", 50)] {
        let long = part.repeat(count) + ".";
        let told = answer(&long);
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH && !line.ends_with(' ')), "{told}");
        assert_eq!(steps(&format!("D1> pres\n{told}"))[0].answers, [long]);
    }
}

#[test]
fn an_event_goes_on_in_the_next_line() {
    let steps = steps("# rule\nD1> pres\n     alice\n    <a/>\n  nothing\n     at all\nwait 1s\n");
    let told: Vec<_> = steps.iter().map(|step| step.event.as_deref().unwrap_or("-")).collect();
    assert_eq!(told, ["-", "D1> pres alice<a/>", "wait 1s"]);
    assert_eq!(steps[1].written, "D1> pres\n     alice\n    <a/>\n");
    assert_eq!(steps[1].answers, ["nothing at all"]);
}
