//! Cuts a story short that fails.

use crate::step::Step;

/// The shortest story found that still fails.
pub(crate) fn shrink(mut story: Vec<Step>, fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    loop {
        let before = story.clone();
        drop_steps(&mut story, &fails);
        for position in 0..story.len() {
            simplify(&mut story, position, &fails);
        }
        if story == before {
            return story;
        }
    }
}

/// Leaves out as many steps as it can, many at once first.
fn drop_steps(story: &mut Vec<Step>, fails: &impl Fn(&[Step]) -> bool) {
    let mut length = story.len().div_ceil(2);
    while length > 0 {
        let mut from = 0;
        while from < story.len() {
            let mut shorter = story.clone();
            shorter.drain(from..(from + length).min(story.len()));
            if fails(&shorter) { *story = shorter } else { from += length }
        }
        length /= 2;
    }
}

/// Puts something simpler in the place of a step, as long as that fails as well.
fn simplify(story: &mut [Step], position: usize, fails: &impl Fn(&[Step]) -> bool) {
    loop {
        let simpler = simpler(&story[position]);
        let found = simpler.into_iter().find(|step| {
            let mut other = story.to_vec();
            other[position] = step.clone();
            fails(&other)
        });
        let Some(found) = found else { return };
        story[position] = found;
    }
}

fn simpler(step: &Step) -> Vec<Step> {
    match step {
        Step::Times(count, once) => {
            let inner = once;
            let fewer =
                [1, count / 2, count.saturating_sub(1)].map(|fewer| Step::Times(fewer, inner.clone()));
            let fewer =
                fewer.into_iter().filter(|step| matches!(step, Step::Times(fewer, _) if fewer < count));
            let inner = simpler(inner).into_iter().map(|inner| Step::Times(*count, Box::new(inner)));
            std::iter::once((**once).clone()).chain(fewer).chain(inner).collect()
        }
        Step::Sends(session, xml) => {
            shorter_xml(xml).into_iter().map(|xml| Step::Sends(*session, xml)).collect()
        }
        Step::Comes(xml) => shorter_xml(xml).into_iter().map(Step::Comes).collect(),
        Step::Fails(session, xml) => {
            shorter_xml(xml).into_iter().map(|xml| Step::Fails(*session, xml)).collect()
        }
        Step::Answers(count) if *count > 1 => vec![Step::Answers(count / 2), Step::Answers(count - 1)],
        Step::Waits(time) if *time > 1 => vec![Step::Waits(time / 2)],
        Step::Answers(_) | Step::Waits(_) | Step::ClockJumps(_) | Step::Reload | Step::Other(_) => Vec::new(),
    }
}

/// The text without one of its elements, or without one of its attributes.
fn shorter_xml(xml: &str) -> Vec<String> {
    let elements = (1..xml.len()).filter(|at| xml.is_char_boundary(*at) && xml[*at..].starts_with('<'));
    let without = elements.filter_map(|from| {
        let length = element_length(&xml[from..])?;
        Some(format!("{}{}", &xml[..from], &xml[from + length..]))
    });
    let halves = halved_texts(xml);
    without.chain(halves).chain(without_attribute(xml)).take(400).collect()
}

/// How long the element is with which a text begins.
fn element_length(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(open) = text[at..].find('<') {
        let begin = at + open;
        let end = begin + text[begin..].find('>')? + 1;
        let tag = &text[begin..end];
        if tag.starts_with("</") {
            depth = depth.checked_sub(1)?;
        } else if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth == 0 {
            return Some(end);
        }
        at = end;
    }
    None
}

fn halved_texts(xml: &str) -> Vec<String> {
    let mut halved = Vec::new();
    let mut at = 0;
    while let Some(open) = xml[at..].find('>') {
        let begin = at + open + 1;
        let length = xml[begin..].find('<').unwrap_or(0);
        if length > 1 && xml.is_char_boundary(begin + length / 2) {
            halved.push(format!("{}{}", &xml[..begin + length / 2], &xml[begin + length..]));
        }
        at = begin;
    }
    halved
}

fn without_attribute(xml: &str) -> Vec<String> {
    let mut shorter = Vec::new();
    let mut at = 0;
    while let Some(space) = xml[at..].find(' ') {
        let begin = at + space;
        let rest = &xml[begin..];
        if let Some(length) =
            rest.find("='").and_then(|quote| Some(quote + 2 + rest[quote + 2..].find('\'')? + 1))
        {
            let name = rest[1..].split('=').next().unwrap_or_default();
            if !["xmlns", "from", "to"].contains(&name) && !name.contains(['<', '>']) {
                shorter.push(format!("{}{}", &xml[..begin], &rest[length..]));
            }
        }
        at = begin + 1;
    }
    shorter
}
