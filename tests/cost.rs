//! The cost of a stanza, by which what waits is limited, is about what the allocator gives for it.

#![allow(clippy::unwrap_used, missing_docs)]

use std::alloc::System;

use cap::Cap;
use minimix_core::xmpp::cost::Cost;
use minimix_core::xmpp::stanza::{Kept, Stanza};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const COUNT: usize = 1_000;
/// What the system's allocator adds to a piece, which the counting one does not see; the cost has it.
const UNSEEN: usize = 16;

const LINE: &str = "<message from='alice@example.org/desk' to='lounge@rooms.example' type='groupchat' id='m1'>\
                    <body>a line of some words</body></message>";

#[test]
fn r7_a_stanza_costs_about_what_it_occupies() {
    let stanzas = [
        ("a line", LINE.to_owned()),
        ("a long one", LINE.replace("words", &"words ".repeat(1_000))),
        ("many nodes", LINE.replace("<body>", &format!("{}<body>", "<a b='c'/>".repeat(200)))),
    ];
    for (name, xml) in stanzas {
        let stanza = Stanza::from_xml(&xml).unwrap();
        let mut kept = Vec::with_capacity(COUNT);
        let before = MEMORY.allocated();
        kept.extend((0..COUNT).map(|_| Kept::own(stanza.clone())));
        let occupied = (MEMORY.allocated() - before) / COUNT;
        let cost = kept.first().unwrap().cost();
        println!("{name}: {cost} bytes by its cost, {occupied} as allocated");
        assert!(cost >= occupied, "{name}: {cost} < {occupied}");
        let pieces = 10 + 3 * xml.matches('<').count();
        assert!(cost <= occupied + pieces * UNSEEN, "{name}: {cost} > {occupied}");
    }
}
