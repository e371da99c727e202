//! Elements below a stanza.

use super::Word;

/// An element with its namespace resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Element {
    /// Its local name.
    pub name: Word,
    /// Its namespace.
    pub namespace: Word,
    /// Its attributes without `xmlns`, in the order of their names; one with a namespace is called as Prosody
    /// calls it: namespace, U+0001, name.
    pub attributes: Vec<(Word, Word)>,
    /// Elements and text, in order.
    pub nodes: Vec<Node>,
}

/// What stands inside an element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, unescaped.
    Text(Box<str>),
}

impl Element {
    /// Starts an element.
    pub fn build(name: &str, namespace: &str) -> ElementBuilder {
        ElementBuilder(Self {
            name: name.into(),
            namespace: namespace.into(),
            attributes: Vec::new(),
            nodes: Vec::new(),
        })
    }

    /// Whether it has that name and namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        &*self.name == name && &*self.namespace == namespace
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// Sets an attribute, or removes it.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) {
        self.attributes.retain(|(key, _)| &**key != name);
        if let Some(value) = value {
            let position = self.attributes.partition_point(|(key, _)| &**key < name);
            self.attributes.insert(position, (name.into(), value.into()));
        }
    }

    /// The elements inside it.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements inside it, to be changed.
    pub fn elements_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element inside it of that name, in its own namespace.
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.is(name, &self.namespace))
    }

    /// About how many bytes of text it holds.
    pub fn weight(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let nodes = self.nodes.iter().map(|node| match node {
            Node::Element(element) => element.weight(),
            Node::Text(text) => text.len(),
        });
        self.name.len() + self.namespace.len() + attributes + nodes.sum::<usize>()
    }

    /// The text inside it, that of deeper elements left out.
    pub fn text(&self) -> String {
        self.nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(&**text),
                Node::Element(_) => None,
            })
            .collect()
    }
}

/// Builds an [`Element`].
#[derive(Clone, Debug)]
pub struct ElementBuilder(Element);

impl ElementBuilder {
    /// Sets an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.0.set_attribute(name, Some(value));
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.0.nodes.push(Node::Element(child));
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.nodes.push(Node::Text(text.into()));
        self
    }

    /// The element, as small as it can be: it may be kept for long.
    pub fn done(mut self) -> Element {
        self.0.attributes.shrink_to_fit();
        self.0.nodes.shrink_to_fit();
        self.0
    }
}
