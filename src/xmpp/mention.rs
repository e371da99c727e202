//! Whom a groupchat message mentions: in its text, or by an element (XEP-0372, XEP-0513).

use std::borrow::Cow;

use super::stanza::{Element, NS_CLIENT, Node, Stanza};

const NS_REFERENCE: &str = "urn:xmpp:reference:0";
const NS_MENTIONS: &str = "urn:xmpp:mentions:0";

/// By what a message can mention somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'a> {
    pub(crate) nick: &'a str,
    /// The occupant JID.
    pub(crate) occupant: &'a str,
    pub(crate) account: &'a str,
    /// What the room calls it (XEP-0421).
    pub(crate) occupant_id: Option<&'a str>,
}

/// Whether a message mentions somebody: by a reference, else by the nick as a word of its text.
pub(crate) fn mentions(message: &Stanza, person: Person<'_>) -> bool {
    message.children.iter().any(|child| refers_to(child, person) || says(child, person.nick))
}

fn refers_to(child: &Element, person: Person<'_>) -> bool {
    let is_uri = |uri: Option<&str>| uri.is_some_and(|uri| is_uri_of(uri, person));
    if child.is("reference", NS_REFERENCE) {
        return child.attribute("type") == Some("mention") && is_uri(child.attribute("uri"));
    }
    if !child.is("mention", NS_MENTIONS) || child.find("noping").is_some() {
        return false;
    }
    let occupant_id = child.attribute("occupantid");
    let is_occupant = occupant_id.is_some() && occupant_id == person.occupant_id;
    let jid = child.attribute("jid");
    is_occupant || jid.is_some_and(|jid| is_address_of(jid, person)) || is_uri(child.attribute("uri"))
}

/// Whether an address of XEP-0147 is somebody's. It may have a query.
fn is_uri_of(uri: &str, person: Person<'_>) -> bool {
    let Some(address) = uri.strip_prefix("xmpp:") else { return false };
    let address = address.split_once('?').map_or(address, |(address, _)| address);
    is_address_of(&decoded(address), person)
}

fn is_address_of(address: &str, person: Person<'_>) -> bool {
    address == person.occupant || address.eq_ignore_ascii_case(person.account)
}

/// RFC 3986 §2.1. What is no code stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = after.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn says(child: &Element, nick: &str) -> bool {
    child.is("body", NS_CLIENT)
        && child.nodes.iter().any(|node| match node {
            Node::Text(text) => has_word(text, nick),
            Node::Element(_) => false,
        })
}

/// Whether a text has that word, in whatever case.
fn has_word(text: &str, word: &str) -> bool {
    let word: Vec<[char; 2]> = word.chars().map(in_both_cases).collect();
    let Some(first) = word.first() else { return false };
    let bytes = first.map(first_byte);
    let mut at = 0;
    while let Some(rest) = text.as_bytes().get(at..)
        && let Some(ahead) = rest.iter().position(|byte| bytes.contains(byte))
    {
        at += ahead;
        if is_word_at(text, at, &word) {
            return true;
        }
        at += 1;
    }
    false
}

/// A letter in its own case and in the other, as far as that is one letter. Looking it up takes time.
fn in_both_cases(letter: char) -> [char; 2] {
    let upper = letter.to_uppercase().next().filter(|upper| *upper != letter);
    [letter, upper.or_else(|| letter.to_lowercase().next()).unwrap_or(letter)]
}

fn first_byte(letter: char) -> u8 {
    let mut bytes = [0; 4];
    letter.encode_utf8(&mut bytes);
    let [first, ..] = bytes;
    first
}

fn is_word_at(text: &str, at: usize, word: &[[char; 2]]) -> bool {
    let Some((before, rest)) = text.split_at_checked(at) else { return false };
    let mut letters = rest.chars();
    let is_there = word.iter().all(|cases| letters.next().is_some_and(|letter| cases.contains(&letter)));
    let ends = [word.first(), word.last()].map(|letter| letter.map(|[letter, _]| *letter));
    is_there && is_edge(before.chars().next_back(), ends[0]) && is_edge(ends[1], letters.next())
}

/// Whether a word can end or begin between two characters.
fn is_edge(one: Option<char>, other: Option<char>) -> bool {
    !(one.is_some_and(joins_words) && other.is_some_and(joins_words))
}

/// Whether a character is of a word, in a script that parts words. Several do not, and in Korean what follows a name
/// is joined to it.
fn joins_words(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric() || letter == '_';
    }
    let is_unparted = matches!(
        letter,
        '\u{0E00}'..='\u{0EFF}' // Thai, Lao
            | '\u{1000}'..='\u{109F}' // Burmese
            | '\u{1100}'..='\u{11FF}' // Korean
            | '\u{1780}'..='\u{17FF}' // Khmer
            | '\u{2E80}'..='\u{9FFF}' // Chinese, Japanese
            | '\u{AC00}'..='\u{D7FF}' // Korean
            | '\u{F900}'..='\u{FAFF}' // Chinese
            | '\u{FF66}'..='\u{FF9D}' // Japanese
            | '\u{20000}'..='\u{3FFFF}' // Chinese
    );
    letter.is_alphanumeric() && !is_unparted
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Person<'_> = Person {
        nick: "Alice B",
        occupant: "r@s/Alice B",
        account: "alice@example.org",
        occupant_id: Some("o1"),
    };

    fn mentions_alice(inside: &str) -> bool {
        let xml = format!("<message type='groupchat' from='r@s/bob'>{inside}</message>");
        mentions(&Stanza::from_xml(&xml).unwrap(), ALICE)
    }

    #[test]
    fn u4_a_nick_is_a_word_in_whatever_case() {
        for (text, nick, is_mention) in [
            ("Alice: tea?", "alice", true),
            ("tea, ALICE?", "alice", true),
            ("(alice)", "alice", true),
            ("@alice", "alice", true),
            ("malice alice", "alice", true),
            ("alices malice alice_b alice2", "alice", false),
            ("", "alice", false),
            ("alic", "alice", false),
            ("anything", "", false),
            ("ask ÉMILE.", "émile", true),
            ("émilee", "émile", false),
            ("спроси ЖЕНЮ", "женю", true),
            ("неженю", "женю", false),
            ("太郎さん、お茶?", "太郎", true),
            ("철수야", "철수", true),
            ("hi [bob]", "[bob]", true),
            ("x[bob]y", "[bob]", true),
            ("tea 🍵?", "🍵", true),
            ("alice b, alice", "Alice B", true),
            ("STRASSE", "straße", false),
        ] {
            assert_eq!(has_word(text, nick), is_mention, "{nick} in {text}");
        }
    }

    #[test]
    fn u4_a_reference_mentions_by_either_address() {
        let reference =
            |uri: &str| format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='{uri}'/>");
        for uri in ["xmpp:alice@example.org", "xmpp:r@s/Alice%20B", "xmpp:Alice@Example.org?message"] {
            assert!(mentions_alice(&reference(uri)), "{uri}");
        }
        for uri in ["xmpp:r@s/bob", "alice@example.org", "xmpp:r@s/Alice%2", "xmpp:r@s/%ff%", "xmpp:"] {
            assert!(!mentions_alice(&reference(uri)), "{uri}");
        }
        assert!(!mentions_alice(&reference("xmpp:alice@example.org").replace("mention", "data")));
    }

    #[test]
    fn u4_an_explicit_mention_names_an_occupant() {
        for (inside, is_mention) in [
            ("jid='alice@example.org'/>", true),
            ("occupantid='o1' begin='0' end='3'/>", true),
            ("uri='xmpp:r@s/Alice%20B'/>", true),
            ("occupantid='o2'/>", false),
            ("mentions='urn:xmpp:mentions:0#channel'/>", false),
            ("jid='alice@example.org'><noping/></mention>", false),
        ] {
            let mention = format!("<mention xmlns='urn:xmpp:mentions:0' {inside}");
            assert_eq!(mentions_alice(&mention), is_mention, "{mention}");
        }
    }
}
