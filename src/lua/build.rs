//! Builds a stanza table of Prosody (`util.stanza`) from a [`Stanza`].

use mlua::{Lua, LuaString, Result, Table};

use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Element, NS_CLIENT, Node, Stanza, Word};

/// Builds stanza tables, each with its own attributes and its own list of elements.
#[derive(Debug)]
pub(super) struct Builder {
    metatable: Table,
    name: LuaString,
    attr: LuaString,
    tags: LuaString,
    xmlns: LuaString,
}

/// An element under construction: the table and the two lists into which its children go.
struct Parts {
    table: Table,
    tags: Table,
    nodes: usize,
    elements: usize,
}

impl Builder {
    /// Prepares the keys; the metatable is that of `util.stanza`, by which Prosody knows its own.
    pub(super) fn new(lua: &Lua, metatable: Table) -> Result<Self> {
        Ok(Self {
            metatable,
            name: lua.create_string("name")?,
            attr: lua.create_string("attr")?,
            tags: lua.create_string("tags")?,
            xmlns: lua.create_string("xmlns")?,
        })
    }

    /// Builds a stanza with the addresses that it has.
    pub(super) fn stanza(&self, lua: &Lua, stanza: &Stanza) -> Result<Table> {
        let attr = lua.create_table_with_capacity(0, 4 + stanza.attributes.len())?;
        let plain = [
            ("from", stanza.from.as_ref().map(Jid::as_str)),
            ("to", stanza.to.as_ref().map(Jid::as_str)),
            ("id", stanza.id.as_deref()),
            ("type", stanza.kind.type_attribute()),
        ];
        for (name, value) in plain {
            if let Some(value) = value {
                attr.raw_set(name, value)?;
            }
        }
        set_all(&attr, &stanza.attributes)?;
        let count = stanza.children.len();
        let mut parts = self.parts(lua, stanza.kind.name(), attr, count, count)?;
        for child in &stanza.children {
            parts.push_element(self.element(lua, child, NS_CLIENT)?)?;
        }
        Ok(parts.table)
    }

    fn element(&self, lua: &Lua, element: &Element, parent_namespace: &str) -> Result<Table> {
        let attr = lua.create_table_with_capacity(0, 1 + element.attributes.len())?;
        // A room in this process looks its children up by namespace and would not find one that inherits it.
        if &*element.namespace != NS_CLIENT || parent_namespace != NS_CLIENT {
            attr.raw_set(&self.xmlns, &*element.namespace)?;
        }
        set_all(&attr, &element.attributes)?;
        let elements = element.elements().count();
        let mut parts = self.parts(lua, &element.name, attr, element.nodes.len(), elements)?;
        for node in &element.nodes {
            match node {
                Node::Element(child) => {
                    parts.push_element(self.element(lua, child, &element.namespace)?)?;
                }
                Node::Text(text) => parts.push_text(text)?,
            }
        }
        Ok(parts.table)
    }

    fn parts(&self, lua: &Lua, name: &str, attr: Table, nodes: usize, elements: usize) -> Result<Parts> {
        let table = lua.create_table_with_capacity(nodes, 3)?;
        let tags = lua.create_table_with_capacity(elements, 0)?;
        table.raw_set(&self.name, name)?;
        table.raw_set(&self.attr, attr)?;
        table.raw_set(&self.tags, &tags)?;
        table.set_metatable(Some(self.metatable.clone()))?;
        Ok(Parts { table, tags, nodes: 0, elements: 0 })
    }
}

impl Parts {
    fn push_element(&mut self, element: Table) -> Result<()> {
        self.nodes += 1;
        self.elements += 1;
        self.tags.raw_set(self.elements, &element)?;
        self.table.raw_set(self.nodes, element)
    }

    fn push_text(&mut self, text: &str) -> Result<()> {
        self.nodes += 1;
        self.table.raw_set(self.nodes, text)
    }
}

fn set_all(attr: &Table, attributes: &[(Word, Word)]) -> Result<()> {
    attributes.iter().try_for_each(|(name, value)| attr.raw_set(&**name, &**value))
}
