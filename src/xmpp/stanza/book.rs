//! The stanzas of a snapshot. Each is written once, however many accounts keep it; where it is kept, its number stands. Of
//! many in a row, as all accounts in a room keep them, the first number stands, and how many there are.
//!
//! Serde has no place for what all values of a text share: while a snapshot is written or read, its book is open in the
//! thread.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Stanza;
use super::kept::Kept;

/// A book that is open.
enum Book {
    Written(Pages),
    Read(Vec<Page>),
}

/// A stanza, or none if it can't be read: that costs only who keeps it.
pub(crate) struct Page(Option<Kept>);

impl<'de> Deserialize<'de> for Page {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let xml = Cow::<str>::deserialize(deserializer)?;
        Ok(Self(Stanza::from_xml(&xml).ok().map(|stanza| Kept::own(stanza).into_shared())))
    }
}

/// What has been written so far.
#[derive(Default)]
struct Pages {
    /// The numbers of the copies.
    of_copies: HashMap<usize, usize, FxBuildHasher>,
    /// The numbers of the texts: two copies may have the same.
    of_texts: HashMap<Rc<str>, usize, FxBuildHasher>,
    texts: Vec<Rc<str>>,
}

thread_local! {
    static OPEN: RefCell<Option<Book>> = const { RefCell::new(None) };
}

/// Closes the book, whatever happens.
struct Closing;

impl Drop for Closing {
    fn drop(&mut self) {
        OPEN.take();
    }
}

/// Lets a snapshot be written, and gives its stanzas as XML, in the order of their numbers.
pub(crate) fn write<T>(snapshot: impl FnOnce() -> T) -> (T, Vec<Rc<str>>) {
    let _closing = Closing;
    OPEN.set(Some(Book::Written(Pages::default())));
    let written = snapshot();
    let texts = match OPEN.take() {
        Some(Book::Written(pages)) => pages.texts,
        Some(Book::Read(_)) | None => Vec::new(),
    };
    (written, texts)
}

/// Lets a snapshot be read that has those stanzas.
pub(crate) fn read<T>(stanzas: Vec<Page>, snapshot: impl FnOnce() -> T) -> T {
    let _closing = Closing;
    OPEN.set(Some(Book::Read(stanzas)));
    snapshot()
}

/// The number of a stanza in the book that is being written; nothing if none is.
fn number_of(stanza: &Kept) -> Option<usize> {
    OPEN.with_borrow_mut(|open| match open {
        Some(Book::Written(pages)) => Some(pages.number_of(stanza)),
        Some(Book::Read(_)) | None => None,
    })
}

/// The stanza of that number in the book that is being read.
fn stanza(number: usize) -> Option<Kept> {
    OPEN.with_borrow(|open| match open {
        Some(Book::Read(stanzas)) => stanzas.get(number).and_then(|page| page.0.clone()),
        Some(Book::Written(_)) | None => None,
    })
}

/// As its number in the book that is open, or as XML.
impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match number_of(self) {
            Some(number) => number.serialize(serializer),
            None => serializer.serialize_str(&self.to_xml()),
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// What stands for a stanza in a text.
struct Written;

impl Visitor<'_> for Written {
    type Value = Kept;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a stanza, or its number")
    }

    fn visit_str<E: Error>(self, xml: &str) -> Result<Kept, E> {
        Ok(Kept::own(Stanza::from_xml(xml).map_err(E::custom)?).into_shared())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Kept, E> {
        let number = usize::try_from(number).map_err(E::custom)?;
        stanza(number).ok_or_else(|| unknown(number))
    }
}

/// Writes stanzas in a row.
pub(crate) fn serialize<S: Serializer>(stanzas: &[Kept], serializer: S) -> Result<S::Ok, S::Error> {
    match stanzas.iter().map(number_of).collect::<Option<Vec<usize>>>() {
        Some(numbers) => {
            let runs = numbers.chunk_by(|one, next| one + 1 == *next);
            serializer.collect_seq(runs.filter_map(|run| Some((run.first()?, run.len()))))
        }
        None => stanzas.serialize(serializer),
    }
}

/// Reads stanzas in a row.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kept>, D::Error> {
    if OPEN.with_borrow(Option::is_none) {
        return Vec::deserialize(deserializer);
    }
    let runs = Vec::<(usize, usize)>::deserialize(deserializer)?;
    let numbers =
        runs.into_iter().flat_map(|(first, count)| (0..count).map(move |next| first.saturating_add(next)));
    numbers.map(|number| stanza(number).ok_or_else(|| unknown(number))).collect()
}

/// No stanza has that number.
fn unknown<E: Error>(number: usize) -> E {
    E::custom(format_args!("no stanza has the number {number}"))
}

impl Pages {
    fn number_of(&mut self, stanza: &Kept) -> usize {
        if let Some(number) = self.of_copies.get(&stanza.address()) {
            return *number;
        }
        let text: Rc<str> = stanza.to_xml().into();
        let next = self.texts.len();
        let number = *self.of_texts.entry(Rc::clone(&text)).or_insert(next);
        if number == next {
            self.texts.push(text);
        }
        self.of_copies.insert(stanza.address(), number);
        number
    }
}
