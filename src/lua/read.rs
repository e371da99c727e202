//! Reads a stanza table of Prosody (`util.stanza`) into a [`Stanza`]: once, complete, without keeping a
//! reference, because a local room uses its table again.

use std::fmt;

use mlua::{Lua, LuaString, Table};

use super::raw::{Found, Key, Place, walk};
use crate::jid::Jid;
use crate::stanza::{Element, Kind, NS_CLIENT, Node, Stanza};

/// How deep elements may nest.
const MAX_DEPTH: usize = 64;
/// How many elements, texts and attributes a stanza may have.
const MAX_PARTS: usize = 10_000;
/// How many bytes they may have in all.
const MAX_BYTES: usize = 1024 * 1024;
/// The namespace of stanzas between servers, which is the same to us.
const NS_SERVER: &str = "jabber:server";

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

/// Reads stanza tables. It holds its keys as Lua strings, which costs less than making them for each look-up.
#[derive(Debug)]
pub(super) struct Reader {
    name: LuaString,
    attr: LuaString,
}

impl Reader {
    /// Prepares the keys.
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        Ok(Self { name: lua.create_string("name")?, attr: lua.create_string("attr")? })
    }

    /// Reads a stanza.
    pub(super) fn stanza(&self, lua: &Lua, table: &Table) -> Result<Stanza, Unreadable> {
        walk(lua, table, [&self.name, &self.attr], stanza).unwrap_or(Err(Unreadable::NoMemory))
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

/// The attributes of an element.
#[derive(Default)]
struct Attributes {
    namespace: Option<Box<str>>,
    others: Vec<(Box<str>, Box<str>)>,
}

fn stanza(mut place: Place<'_>) -> Result<Stanza, Unreadable> {
    let mut budget = Budget { parts: MAX_PARTS, bytes: MAX_BYTES };
    let name = name(&mut place, &mut budget)?;
    let attributes = attributes(&mut place, &mut budget)?;
    let type_attribute = attributes.others.iter().find(|(name, _)| &**name == "type");
    let kind = Kind::read(&name, type_attribute.map(|(_, value)| &**value))
        .ok_or(Unreadable::Malformed("neither presence, message nor iq"))?;
    let mut stanza = Stanza::new(kind);
    for (name, value) in attributes.others {
        match &*name {
            "from" => stanza.from = Some(Jid::new(&value)),
            "to" => stanza.to = Some(Jid::new(&value)),
            "id" => stanza.id = Some(value),
            "type" => {}
            _ => stanza.attributes.push((name, value)),
        }
    }
    nodes(&mut place, NS_CLIENT, MAX_DEPTH, &mut budget, |node| {
        if let Node::Element(element) = node {
            stanza.children.push(element);
        }
    })?;
    Ok(stanza)
}

fn element(
    mut place: Place<'_>,
    parent_namespace: &str,
    depth: usize,
    budget: &mut Budget,
) -> Result<Element, Unreadable> {
    let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
    let name = name(&mut place, budget)?;
    let attributes = attributes(&mut place, budget)?;
    let namespace = match attributes.namespace {
        None => parent_namespace.into(),
        Some(namespace) if &*namespace == NS_SERVER => NS_CLIENT.into(),
        Some(namespace) => namespace,
    };
    let mut element = Element { name, namespace, attributes: attributes.others, nodes: Vec::new() };
    nodes(&mut place, &element.namespace, depth, budget, |node| element.nodes.push(node))?;
    Ok(element)
}

fn nodes(
    place: &mut Place<'_>,
    namespace: &str,
    depth: usize,
    budget: &mut Budget,
    mut keep: impl FnMut(Node),
) -> Result<(), Unreadable> {
    for position in (1..).take(place.len()) {
        let node = place.item(position, |found| match found {
            Found::Table(child) => element(child, namespace, depth, budget).map(Node::Element),
            Found::Text(bytes) => {
                let text = text(bytes, "text is not UTF-8")?;
                budget.spend(text.len())?;
                Ok(Node::Text(text.into()))
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

fn name(place: &mut Place<'_>, budget: &mut Budget) -> Result<Box<str>, Unreadable> {
    let name = place.field(Key::Name, |found| match found {
        Found::Nothing => Err(Unreadable::Malformed("no name")),
        Found::Text(_) | Found::Number(_) | Found::Table(_) | Found::TooMuch | Found::Other => {
            owned(&found, "a name is no text")
        }
    })?;
    budget.spend(name.len())?;
    Ok(name)
}

fn attributes(place: &mut Place<'_>, budget: &mut Budget) -> Result<Attributes, Unreadable> {
    let mut attributes = Attributes::default();
    place.field(Key::Attr, |found| match found {
        Found::Table(mut attr) => attr.each(|name, value| {
            let (name, value) = (owned(&name, NO_ATTRIBUTE)?, owned(&value, NO_ATTRIBUTE)?);
            budget.spend(name.len() + value.len())?;
            if &*name == "xmlns" {
                attributes.namespace = Some(value);
            } else {
                attributes.others.push((name, value));
            }
            Ok(())
        }),
        Found::Nothing => Err(Unreadable::Malformed("no attributes")),
        Found::TooMuch => Err(Unreadable::NoMemory),
        Found::Text(_) | Found::Number(_) | Found::Other => {
            Err(Unreadable::Malformed("attributes are no table"))
        }
    })?;
    attributes.others.sort_unstable();
    Ok(attributes)
}

const NO_ATTRIBUTE: &str = "an attribute is no text";

/// A text, or a number as Lua would write it.
fn owned(found: &Found<'_>, fault: &'static str) -> Result<Box<str>, Unreadable> {
    match found {
        Found::Text(bytes) => text(bytes, fault).map(Into::into),
        Found::Number(number) => Ok(number.to_string().into()),
        Found::Nothing | Found::Table(_) | Found::TooMuch | Found::Other => Err(Unreadable::Malformed(fault)),
    }
}

fn text<'a>(bytes: &'a [u8], fault: &'static str) -> Result<&'a str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable::Malformed(fault))
}

#[cfg(all(test, feature = "vendored"))]
mod reference;
#[cfg(all(test, feature = "vendored"))]
mod tests;
