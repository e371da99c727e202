//! What is kept costs memory: about how many bytes, counted from what it consists of.
//!
//! Every limit on what waits is one of cost. Small things are then many, and large ones few. The unit is a byte as
//! the allocator sees it: the struct itself, each piece of memory that it owns, and what the allocator adds to
//! a piece. `tests/memory.rs` compares it with what is really allocated. What stanzas share (usual words, one
//! copy for all accounts) is counted for each, so the cost is at most too high.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crate::xmpp::jid::{FullJid, Jid, Nick};
use crate::xmpp::memory::Charge;
use crate::xmpp::stanza::{Element, Kept, Node, Stanza, Word};

/// What the allocator adds to a piece of memory: its own word, and the rounding.
const PIECE: usize = 16;
/// The two counts of what is shared.
const COUNTS: usize = 16;
/// What a stanza that is kept costs besides itself: it is a piece of its own, with the counts and who pays for it.
pub(crate) const COPY: usize = PIECE + COUNTS + size_of::<OnceLock<Charge>>();

/// Something that occupies memory.
pub trait Cost {
    /// About how many bytes it occupies outside of itself.
    fn outside(&self) -> usize;

    /// About how many bytes it occupies.
    fn cost(&self) -> usize
    where
        Self: Sized,
    {
        size_of::<Self>() + self.outside()
    }
}

fn text(text: &str) -> usize {
    if text.is_empty() { 0 } else { PIECE + text.len() }
}

impl Cost for Box<str> {
    fn outside(&self) -> usize {
        text(self)
    }
}

impl Cost for Word {
    fn outside(&self) -> usize {
        self.own().map_or(0, text)
    }
}

impl Cost for Jid {
    fn outside(&self) -> usize {
        COUNTS + text(self.as_str())
    }
}

impl Cost for FullJid {
    fn outside(&self) -> usize {
        self.as_jid().outside()
    }
}

impl Cost for Nick {
    fn outside(&self) -> usize {
        COUNTS + text(self.as_str())
    }
}

impl<T: Cost> Cost for Option<T> {
    fn outside(&self) -> usize {
        self.as_ref().map_or(0, Cost::outside)
    }
}

impl<T: Cost> Cost for [T] {
    fn outside(&self) -> usize {
        self.iter().map(Cost::cost).sum()
    }
}

impl<T: Cost> Cost for Vec<T> {
    fn outside(&self) -> usize {
        let spare = (self.capacity() - self.len()) * size_of::<T>();
        if self.capacity() == 0 { 0 } else { PIECE + spare + self.as_slice().outside() }
    }
}

impl<T: Cost> Cost for VecDeque<T> {
    fn outside(&self) -> usize {
        self.iter().map(Cost::cost).sum()
    }
}

impl<A: Cost, B: Cost> Cost for (A, B) {
    fn outside(&self) -> usize {
        self.0.outside() + self.1.outside()
    }
}

impl Cost for Node {
    fn outside(&self) -> usize {
        match self {
            Self::Element(element) => element.outside(),
            Self::Text(text) => text.outside(),
        }
    }
}

impl Cost for Element {
    fn outside(&self) -> usize {
        self.name.outside() + self.namespace.outside() + self.attributes.outside() + self.nodes.outside()
    }
}

impl Cost for Stanza {
    fn outside(&self) -> usize {
        let addresses = self.from.outside() + self.to.outside() + self.id.outside();
        addresses + self.attributes.outside() + self.children.outside()
    }
}

impl Cost for Kept {
    fn outside(&self) -> usize {
        self.charged().unwrap_or_else(|| COPY + Stanza::cost(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(xml: &str) -> usize {
        Kept::own(Stanza::from_xml(xml).unwrap()).cost()
    }

    #[test]
    fn text_costs_its_length_and_a_node_its_struct() {
        let empty = cost("<message/>");
        assert_eq!(cost("<message id='a'/>"), empty + PIECE + 1);
        let texts = |length| cost(&format!("<message><body>{}</body></message>", "a".repeat(length)));
        assert_eq!(texts(1_010) - texts(10), 1_000);
        let nodes = |count| cost(&format!("<message>{}</message>", "<a/>".repeat(count)));
        assert!(nodes(100) >= empty + 100 * size_of::<Element>());
        assert!(nodes(10_000) > 10_000 * 80, "short elements are not cheap");
    }

    #[test]
    fn what_is_usual_is_not_held_anew() {
        assert!(cost("<message><body/></message>") < cost("<message><abcd/></message>"));
    }

    #[test]
    fn j2_a_hundred_lines_cost_less_than_a_tenth_of_a_mebibyte() {
        let line = "<message from='alice@example.org/desk' to='lounge@rooms.example' type='groupchat' id='m000001'>\
                    <body>line 000001</body></message>";
        assert!(100 * cost(line) < 100 * 1024, "{}", cost(line));
    }
}
