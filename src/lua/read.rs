//! Reads a stanza table of Prosody (`util.stanza`) into a [`Stanza`]: once, complete, without keeping a
//! reference, because a local room uses its table again.

use std::fmt;

use mlua::{Lua, LuaString, Table, Value};

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
#[derive(Clone, Copy, Debug)]
pub(super) enum Unreadable {
    /// It is not what `util.stanza` makes.
    Malformed(&'static str),
    /// It is larger than anything that a room sends.
    TooLarge,
    /// It nests deeper than anything that a room sends.
    TooDeep,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(formatter, "malformed stanza: {what}"),
            Self::TooLarge => formatter.write_str("stanza too large"),
            Self::TooDeep => formatter.write_str("stanza nests too deeply"),
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
    namespace: Option<String>,
    others: Vec<(Box<str>, Box<str>)>,
}

impl Reader {
    /// Prepares the keys.
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        Ok(Self { name: lua.create_string("name")?, attr: lua.create_string("attr")? })
    }

    /// Reads a stanza.
    pub(super) fn stanza(&self, table: &Table) -> Result<Stanza, Unreadable> {
        let mut budget = Budget { parts: MAX_PARTS, bytes: MAX_BYTES };
        let name = self.name(table, &mut budget)?;
        let attributes = self.attributes(table, &mut budget)?;
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
        self.nodes(table, NS_CLIENT, MAX_DEPTH, &mut budget, &mut |node| {
            if let Node::Element(element) = node {
                stanza.children.push(element);
            }
        })?;
        Ok(stanza)
    }

    fn element(
        &self,
        table: &Table,
        parent_namespace: &str,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Element, Unreadable> {
        let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
        let name = self.name(table, budget)?;
        let attributes = self.attributes(table, budget)?;
        let namespace = match attributes.namespace.as_deref() {
            None => parent_namespace,
            Some(NS_SERVER) => NS_CLIENT,
            Some(namespace) => namespace,
        };
        let mut nodes = Vec::new();
        self.nodes(table, namespace, depth, budget, &mut |node| nodes.push(node))?;
        let namespace = namespace.into();
        Ok(Element { name: name.into(), namespace, attributes: attributes.others, nodes })
    }

    fn nodes(
        &self,
        table: &Table,
        namespace: &str,
        depth: usize,
        budget: &mut Budget,
        found: &mut dyn FnMut(Node),
    ) -> Result<(), Unreadable> {
        for index in 1..=table.raw_len() {
            let child: Value =
                table.raw_get(index).map_err(|_| Unreadable::Malformed("a child can't be read"))?;
            if let Value::Table(child) = &child {
                found(Node::Element(self.element(child, namespace, depth, budget)?));
            } else if let Value::String(text) = &child {
                let text = text.to_str().map_err(|_| Unreadable::Malformed("text is not UTF-8"))?;
                budget.spend(text.len())?;
                found(Node::Text((&*text).into()));
            } else {
                return Err(Unreadable::Malformed("a child is neither element nor text"));
            }
        }
        Ok(())
    }

    fn name(&self, table: &Table, budget: &mut Budget) -> Result<String, Unreadable> {
        let name: Option<String> =
            table.raw_get(&self.name).map_err(|_| Unreadable::Malformed("a name is no text"))?;
        let name = name.ok_or(Unreadable::Malformed("no name"))?;
        budget.spend(name.len())?;
        Ok(name)
    }

    fn attributes(&self, table: &Table, budget: &mut Budget) -> Result<Attributes, Unreadable> {
        let attr: Option<Table> =
            table.raw_get(&self.attr).map_err(|_| Unreadable::Malformed("attributes are no table"))?;
        let attr = attr.ok_or(Unreadable::Malformed("no attributes"))?;
        let mut attributes = Attributes::default();
        let mut spent = Ok(());
        let read = attr.for_each(|name: String, value: String| {
            spent = budget.spend(name.len() + value.len());
            if name == "xmlns" {
                attributes.namespace = Some(value);
            } else {
                attributes.others.push((name.into(), value.into()));
            }
            spent.map_err(mlua::Error::external)
        });
        spent?;
        read.map_err(|_| Unreadable::Malformed("an attribute is no text"))?;
        attributes.others.sort_unstable();
        Ok(attributes)
    }
}
