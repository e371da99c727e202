//! Reads a stanza table of Prosody (`util.stanza`) into a [`Stanza`]: once, complete, without keeping a
//! reference, because a local room uses its table again.

use std::borrow::Cow;
use std::fmt;

use super::raw::{Found, Key, Place, utf8};
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Element, Kind, MAX_DEPTH, NS_CLIENT, Node, Stanza, Word};

/// How many elements, texts and attributes a stanza may have.
const MAX_PARTS: usize = 10_000;
/// How many bytes they may have in all.
const MAX_BYTES: usize = 1024 * 1024;
/// The namespace of stanzas between servers, which is the same to us.
const NS_SERVER: &[u8] = b"jabber:server";

/// Why a table can't be read as a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is not what `util.stanza` makes.
    Malformed(&'static str),
    /// It is larger than anything that a room sends.
    TooLarge,
    /// It nests deeper than anything that a room sends.
    TooDeep,
    /// Lua has no memory to look into it.
    NoMemory,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(formatter, "malformed stanza: {what}"),
            Self::TooLarge => formatter.write_str("stanza too large"),
            Self::TooDeep => formatter.write_str("stanza nests too deeply"),
            Self::NoMemory => formatter.write_str("no memory to read a stanza"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads a stanza.
pub(super) fn stanza(argument: Found<'_>) -> Result<Stanza, Unreadable> {
    match argument {
        Found::Table(place) => root(place),
        Found::TooMuch => Err(Unreadable::NoMemory),
        Found::Nothing | Found::Text(_) | Found::Number(_) | Found::Other => {
            Err(Unreadable::Malformed("no table"))
        }
    }
}

/// What may still be read of a stanza.
struct Budget {
    parts: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), Unreadable> {
        self.parts = self.parts.checked_sub(1).ok_or(Unreadable::TooLarge)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Unreadable::TooLarge)?;
        Ok(())
    }
}

/// What all elements of a stanza share while it is read.
struct Desk {
    budget: Budget,
    /// The attributes of an element until it is known how many there are.
    attributes: Vec<(Word, Word)>,
}

fn root(mut place: Place<'_>) -> Result<Stanza, Unreadable> {
    let mut desk =
        Desk { budget: Budget { parts: MAX_PARTS, bytes: MAX_BYTES }, attributes: Vec::with_capacity(8) };
    let name = name(&mut place, &mut desk.budget)?;
    let (mut from, mut to, mut id, mut stanza_type) = (None, None, None, None);
    each_attribute(&mut place, &mut desk.budget, |name, value| {
        match name {
            b"from" => from = Some(Jid::new(text(value)?)),
            b"to" => to = Some(Jid::new(text(value)?)),
            b"id" => id = Some(text(value)?.into()),
            b"type" => stanza_type = Some(word(value)?),
            b"xmlns" => drop(text(value)?),
            _ => desk.attributes.push((word(name)?, word(value)?)),
        }
        Ok(())
    })?;
    let kind = Kind::read(&name, stanza_type.as_deref())
        .ok_or(Unreadable::Malformed("neither presence, message nor iq"))?;
    let attributes = desk.take_attributes();
    let count = place.len();
    let mut children = Vec::with_capacity(count.min(desk.budget.parts));
    each_node(&mut place, count, &NS_CLIENT.into(), MAX_DEPTH, &mut desk, |node| {
        if let Node::Element(element) = node {
            children.push(element);
        }
    })?;
    Ok(Stanza { kind, from, to, id, attributes, children })
}

fn element(
    mut place: Place<'_>,
    parent_namespace: &Word,
    depth: usize,
    desk: &mut Desk,
) -> Result<Element, Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
    let name = name(&mut place, &mut desk.budget)?;
    let mut namespace = None;
    each_attribute(&mut place, &mut desk.budget, |name, value| {
        match (name, value) {
            (b"xmlns", NS_SERVER) => namespace = Some(NS_CLIENT.into()),
            (b"xmlns", _) => namespace = Some(word(value)?),
            _ => desk.attributes.push((word(name)?, word(value)?)),
        }
        Ok(())
    })?;
    let namespace = namespace.unwrap_or_else(|| parent_namespace.clone());
    let attributes = desk.take_attributes();
    let count = place.len();
    let mut nodes = Vec::with_capacity(count.min(desk.budget.parts));
    each_node(&mut place, count, &namespace, depth, desk, |node| nodes.push(node))?;
    Ok(Element { name, namespace, attributes, nodes })
}

impl Desk {
    /// The attributes in the order of their names.
    fn take_attributes(&mut self) -> Vec<(Word, Word)> {
        if self.attributes.is_empty() {
            return Vec::new();
        }
        self.attributes.sort_unstable_by(|one, other| (&*one.0, &*one.1).cmp(&(&*other.0, &*other.1)));
        self.attributes.drain(..).collect()
    }
}

fn each_node(
    place: &mut Place<'_>,
    count: usize,
    namespace: &Word,
    depth: usize,
    desk: &mut Desk,
    mut keep: impl FnMut(Node),
) -> Result<(), Unreadable> {
    for position in (1..).take(count) {
        let node = place.item(position, |found| match found {
            Found::Table(child) => element(child, namespace, depth, desk).map(Node::Element),
            Found::Text(bytes) => {
                desk.budget.spend(bytes.len())?;
                Ok(Node::Text(text(bytes)?.into()))
            }
            Found::TooMuch => Err(Unreadable::NoMemory),
            Found::Nothing | Found::Number(_) | Found::Other => {
                Err(Unreadable::Malformed("a child is neither element nor text"))
            }
        });
        keep(node?);
    }
    Ok(())
}

fn name(place: &mut Place<'_>, budget: &mut Budget) -> Result<Word, Unreadable> {
    place.field(Key::Name, |found| {
        if matches!(found, Found::Nothing) {
            return Err(Unreadable::Malformed("no name"));
        }
        let name = bytes(&found, "a name is no text")?;
        budget.spend(name.len())?;
        word(&name)
    })
}

fn each_attribute(
    place: &mut Place<'_>,
    budget: &mut Budget,
    mut keep: impl FnMut(&[u8], &[u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    place.field(Key::Attr, |found| match found {
        Found::Table(mut attr) => attr.each(|name, value| {
            let fault = "an attribute is no text";
            let (name, value) = (bytes(&name, fault)?, bytes(&value, fault)?);
            budget.spend(name.len() + value.len())?;
            keep(&name, &value)
        }),
        Found::Nothing => Err(Unreadable::Malformed("no attributes")),
        Found::TooMuch => Err(Unreadable::NoMemory),
        Found::Text(_) | Found::Number(_) | Found::Other => {
            Err(Unreadable::Malformed("attributes are no table"))
        }
    })
}

/// A text, or a number as Lua would write it.
#[inline]
fn bytes<'a>(found: &Found<'a>, fault: &'static str) -> Result<Cow<'a, [u8]>, Unreadable> {
    match found {
        Found::Text(bytes) => Ok(Cow::Borrowed(bytes)),
        Found::Number(number) => Ok(Cow::Owned(number.to_string().into_bytes())),
        Found::Nothing | Found::Table(_) | Found::TooMuch | Found::Other => Err(Unreadable::Malformed(fault)),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    utf8(bytes).ok_or(NOT_UTF8)
}

fn word(bytes: &[u8]) -> Result<Word, Unreadable> {
    Word::read(bytes, utf8).ok_or(NOT_UTF8)
}

const NOT_UTF8: Unreadable = Unreadable::Malformed("text is not UTF-8");

#[cfg(all(test, feature = "vendored"))]
mod reference;
#[cfg(all(test, feature = "vendored"))]
mod tests;
