//! The same in safe mlua, many times slower: what the reader is compared with.

use mlua::{Result, Table, Value};

use super::{MAX_BYTES, MAX_PARTS};
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Element, Kind, MAX_DEPTH, NS_CLIENT, Node, Stanza};

/// What may still be read of a stanza.
struct Budget {
    parts: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.parts = self.parts.checked_sub(1).ok_or_else(|| mlua::Error::runtime("parts"))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| mlua::Error::runtime("bytes"))?;
        Ok(())
    }
}

/// Reads a stanza.
pub(super) fn stanza(table: &Table) -> Result<Stanza> {
    let mut budget = Budget { parts: MAX_PARTS, bytes: MAX_BYTES };
    let root = element(table, NS_CLIENT, MAX_DEPTH + 1, &mut budget)?;
    let kind =
        Kind::read(&root.name, root.attribute("type")).ok_or_else(|| mlua::Error::runtime("no stanza"))?;
    let mut stanza = Stanza::new(kind);
    stanza.from = root.attribute("from").map(Jid::new);
    stanza.to = root.attribute("to").map(Jid::new);
    stanza.id = root.attribute("id").map(Into::into);
    stanza.children = elements_of(table, &mut Budget { parts: MAX_PARTS, bytes: MAX_BYTES })?;
    stanza.attributes = root.attributes;
    stanza.attributes.retain(|(name, _)| !["from", "to", "id", "type"].contains(&&**name));
    Ok(stanza)
}

/// The namespace of a stanza itself says nothing.
fn elements_of(table: &Table, budget: &mut Budget) -> Result<Vec<Element>> {
    let nodes = nodes(table, NS_CLIENT, MAX_DEPTH, budget)?;
    Ok(nodes
        .into_iter()
        .filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
        .collect())
}

fn element(table: &Table, parent_namespace: &str, depth: usize, budget: &mut Budget) -> Result<Element> {
    let depth = depth.checked_sub(1).ok_or_else(|| mlua::Error::runtime("depth"))?;
    let name: Option<String> = table.raw_get("name")?;
    let name = name.ok_or_else(|| mlua::Error::runtime("no name"))?;
    budget.spend(name.len())?;
    let mut attributes = Vec::new();
    for attribute in table.raw_get::<Table>("attr")?.pairs::<String, String>() {
        let (name, value) = attribute?;
        budget.spend(name.len() + value.len())?;
        attributes.push((name, value));
    }
    attributes.sort();
    let own_namespace = attributes.iter().find(|(name, _)| name == "xmlns").map(|(_, value)| &**value);
    let namespace = match own_namespace {
        Some("jabber:server") => NS_CLIENT.to_owned(),
        own => own.unwrap_or(parent_namespace).to_owned(),
    };
    let mut element = Element::build(&name, &namespace).done();
    element.nodes = nodes(table, &namespace, depth, budget)?;
    attributes.retain(|(name, _)| name != "xmlns");
    element.attributes =
        attributes.into_iter().map(|(name, value)| ((&*name).into(), (&*value).into())).collect();
    Ok(element)
}

fn nodes(table: &Table, namespace: &str, depth: usize, budget: &mut Budget) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for position in 1..=table.raw_len() {
        let child: Value = table.raw_get(position)?;
        if let Value::Table(child) = &child {
            nodes.push(Node::Element(element(child, namespace, depth, budget)?));
        } else if let Value::String(text) = &child {
            budget.spend(text.as_bytes().len())?;
            nodes.push(Node::Text((*text.to_str()?).into()));
        } else {
            return Err(mlua::Error::runtime("neither element nor text"));
        }
    }
    Ok(nodes)
}
