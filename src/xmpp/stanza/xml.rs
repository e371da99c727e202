//! Stanzas as XML text, for what leaves memory: snapshots, stored records, transcripts. Never for crossing
//! the boundary to Lua.

use std::borrow::Cow;
use std::fmt;

use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::{Element, Kind, MAX_DEPTH, NS_CLIENT, Node, Stanza, Word};
use crate::xmpp::jid::Jid;

/// The namespace that the prefix `xml` stands for.
const NS_XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Why a text is no stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError(Cow<'static, str>);

impl fmt::Display for XmlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a stanza: {}", self.0)
    }
}

impl std::error::Error for XmlError {}

fn fault<E: fmt::Display>(error: E) -> XmlError {
    XmlError(error.to_string().into())
}

impl Stanza {
    /// Writes the stanza as XML, without a line break.
    pub fn to_xml(&self) -> String {
        let mut out = String::new();
        out.push('<');
        out.push_str(self.kind.name());
        let addresses = [("from", self.from.as_ref()), ("to", self.to.as_ref())];
        for (name, jid) in addresses {
            if let Some(jid) = jid {
                write_attribute(&mut out, name, jid.as_str());
            }
        }
        let plain = [("id", self.id.as_deref()), ("type", self.kind.type_attribute())];
        for (name, value) in plain {
            if let Some(value) = value {
                write_attribute(&mut out, name, value);
            }
        }
        write_attributes(&mut out, &self.attributes);
        if self.children.is_empty() {
            out.push_str("/>");
            return out;
        }
        out.push('>');
        for child in &self.children {
            child.write(&mut out, NS_CLIENT);
        }
        close(&mut out, self.kind.name());
        out
    }

    /// The number of characters of [`Stanza::to_xml`], as XEP-0045 §7.2.14 counts `maxchars`.
    pub fn character_count(&self) -> usize {
        self.to_xml().chars().count()
    }

    /// Reads a stanza.
    pub fn from_xml(xml: &str) -> Result<Self, XmlError> {
        Self::of_element(parse(xml)?).ok_or(XmlError("neither presence, message nor iq".into()))
    }

    /// The stanza that an element is, if it is one: a forwarded one (XEP-0297).
    pub fn of_element(root: Element) -> Option<Self> {
        let kind = Kind::read(&root.name, root.attribute("type"))?;
        let mut stanza = Self::new(kind);
        for (name, value) in root.attributes {
            match &*name {
                "from" => stanza.from = Some(Jid::new(&value)),
                "to" => stanza.to = Some(Jid::new(&value)),
                "id" => stanza.id = Some((&*value).into()),
                "type" => {}
                _ => stanza.attributes.push((name, value)),
            }
        }
        stanza.children = root.nodes.into_iter().filter_map(element_of).collect();
        Some(stanza)
    }
}

fn element_of(node: Node) -> Option<Element> {
    match node {
        Node::Element(element) => Some(element),
        Node::Text(_) => None,
    }
}

impl Element {
    fn write(&self, out: &mut String, parent_namespace: &str) {
        out.push('<');
        out.push_str(&self.name);
        if &*self.namespace != parent_namespace {
            write_attribute(out, "xmlns", &self.namespace);
        }
        write_attributes(out, &self.attributes);
        if self.nodes.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for node in &self.nodes {
            match node {
                Node::Element(element) => element.write(out, &self.namespace),
                Node::Text(text) => out.push_str(&escape(&**text)),
            }
        }
        close(out, &self.name);
    }
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn write_attributes(out: &mut String, attributes: &[(Word, Word)]) {
    for (position, (name, value)) in attributes.iter().enumerate() {
        match name.split_once('\u{1}') {
            None => write_attribute(out, name, value),
            Some((namespace, local)) => {
                write_attribute(out, &format!("xmlns:a{position}"), namespace);
                write_attribute(out, &format!("a{position}:{local}"), value);
            }
        }
    }
}

fn write_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("='");
    for character in value.chars() {
        match character {
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out.push('\'');
}

fn parse(xml: &str) -> Result<Element, XmlError> {
    let mut reader = NsReader::from_str(xml);
    let mut open: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().map_err(fault)? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(XmlError("nested too deeply".into()));
                }
                open.push(element(&reader, &start)?);
            }
            Event::Empty(start) => {
                let finished = element(&reader, &start)?;
                if let Some(root) = finish(&mut open, finished) {
                    return Ok(root);
                }
            }
            Event::End(_) => {
                let finished = open.pop().ok_or(XmlError("closed before opened".into()))?;
                if let Some(root) = finish(&mut open, finished) {
                    return Ok(root);
                }
            }
            Event::Text(text) => add_text(&mut open, &text),
            Event::CData(text) => add_text(&mut open, &text),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                add_text(&mut open, &unescape(&format!("&{name};")).map_err(fault)?);
            }
            Event::Eof => return Err(XmlError("ends too early".into())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                return Err(XmlError("restricted XML".into()));
            }
        }
    }
}

/// Puts a finished element into the one around it; the outermost is the result.
fn finish(open: &mut [Element], mut finished: Element) -> Option<Element> {
    finished.attributes.shrink_to_fit(); // most of what is read is kept
    finished.nodes.shrink_to_fit();
    let Some(parent) = open.last_mut() else { return Some(finished) };
    parent.nodes.push(Node::Element(finished));
    None
}

fn add_text(open: &mut [Element], text: &str) {
    let Some(parent) = open.last_mut() else { return };
    if let Some(Node::Text(before)) = parent.nodes.last_mut() {
        *before = format!("{before}{text}").into();
    } else if !text.is_empty() {
        parent.nodes.push(Node::Text(text.into()));
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
        ResolveResult::Unbound => NS_CLIENT.to_owned(),
        ResolveResult::Unknown(_) => return Err(XmlError("unknown prefix".into())),
    };
    let mut built = Element::build(local.as_ref(), &namespace).done();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(fault)?;
        let key = attribute.key.as_ref();
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        let value = unescape(&attribute.value).map_err(fault)?.into_owned();
        built.set_attribute(&attribute_name(reader, attribute.key)?, Some(&value));
    }
    Ok(built)
}

fn attribute_name(reader: &NsReader<&[u8]>, key: quick_xml::name::QName<'_>) -> Result<String, XmlError> {
    let (namespace, local) = reader.resolver().resolve_attribute(key);
    let local = local.as_ref();
    match namespace {
        ResolveResult::Unbound => Ok(local.to_owned()),
        ResolveResult::Bound(bound) if bound.as_ref() == NS_XML => Ok(format!("xml:{local}")),
        ResolveResult::Bound(bound) => Ok(format!("{}\u{1}{local}", bound.as_ref())),
        ResolveResult::Unknown(_) => Err(XmlError("unknown prefix".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn stays(xml: &str) {
        assert_eq!(Stanza::from_xml(xml).unwrap().to_xml(), xml);
    }

    #[test]
    fn a_stanza_survives_writing_and_reading() {
        stays("<presence from='a@b/c'/>");
        stays("<message to='a@b' id='1' type='groupchat'><body>1 &lt; 2 &amp; 3</body></message>");
        stays("<iq id='p' type='get' xml:lang='en'><ping xmlns='urn:xmpp:ping'/></iq>");
        stays("<message><x xmlns='a'><y b='1' c='&lt;&apos;&#10;'>t<z xmlns='d'/>u</y></x></message>");
    }

    fn nested(depth: usize) -> String {
        format!("<presence>{}x{}</presence>", "<a>".repeat(depth), "</a>".repeat(depth))
    }

    #[test]
    fn the_deepest_that_the_binding_reads_survives_too() {
        stays(&nested(MAX_DEPTH));
    }

    #[test]
    fn an_attribute_keeps_its_namespace() {
        let stanza = Stanza::from_xml("<message xmlns:q='urn:q'><x xmlns='a' q:b='1'/></message>").unwrap();
        assert_eq!(stanza.children[0].attribute("urn:q\u{1}b"), Some("1"));
        assert_eq!(Stanza::from_xml(&stanza.to_xml()).unwrap(), stanza);
    }

    #[test]
    fn what_is_no_stanza_is_an_error() {
        for xml in ["", "<presence>", "<x/>", "<iq/>", "<!-- --><presence/>", "<presence>&nope;</presence>"] {
            assert!(Stanza::from_xml(xml).is_err(), "{xml}");
        }
        assert_eq!(Stanza::from_xml(&nested(MAX_DEPTH + 1)), Err(XmlError("nested too deeply".into())));
    }
}
