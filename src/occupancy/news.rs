//! What a waiting session will be shown as news, so that it is not shown it as history too (H10).

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{Kept, Stanza};

/// With so many of those that are most alike a message is compared, the newest first: a room may send the same again and
/// again.
const ALIKE: usize = 8;

/// What has come since a session asked, to be looked up.
pub(super) struct News<'a>(
    /// In the order of their keys, and of one key the oldest first.
    Vec<(Key<'a>, &'a Stanza)>,
);

/// Id, sender, and a hash of the first element: a delay, which one of two copies may lack, stands at the end.
type Key<'a> = (Option<&'a str>, Option<&'a str>, u64);

fn key(stanza: &Stanza) -> Key<'_> {
    let mut hasher = FxHasher::default();
    stanza.children.first().hash(&mut hasher);
    (stanza.id.as_deref(), stanza.from.as_ref().map(Jid::as_str), hasher.finish())
}

impl<'a> News<'a> {
    pub(super) fn of(stanzas: impl Iterator<Item = &'a Kept>) -> Self {
        let mut news: Vec<_> = stanzas.map(|stanza| (key(stanza), &**stanza)).collect();
        news.sort_by_key(|(key, _)| *key);
        Self(news)
    }

    /// Whether a kept message is among them.
    pub(super) fn has(&self, message: &Stanza) -> bool {
        let wanted = key(message);
        let end = self.0.partition_point(|(key, _)| *key <= wanted);
        let alike = self.0.iter().take(end).rev().take_while(|(key, _)| *key == wanted);
        alike.take(ALIKE).any(|(_, news)| shows(message, news))
    }
}

/// Whether a kept stanza is that message; either may have a delay more.
fn shows(shown: &Stanza, message: &Stanza) -> bool {
    shown.kind == message.kind
        && shown.id == message.id
        && shown.from == message.from
        && (shown.children.starts_with(&message.children) || message.children.starts_with(&shown.children))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: &str = "<delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:00Z'/>";

    fn said(id: &str, inside: &str) -> Kept {
        let xml =
            format!("<message type='groupchat' from='lounge@rooms.example/bob' id='{id}'>{inside}</message>");
        Kept::own(Stanza::from_xml(&xml).unwrap())
    }

    #[test]
    fn h10_a_message_is_found_though_one_copy_has_a_delay_more() {
        let (live, dated) = ("<body>a</body>".to_owned(), format!("<body>a</body>{DELAY}"));
        let came = [said("1", &live), said("2", &dated), said("3", &live)];
        let news = News::of(came.iter());
        assert!(news.has(&said("1", &dated)) && news.has(&said("2", &live)) && news.has(&said("3", &live)));
        assert!(!news.has(&said("1", "<body>b</body>")) && !news.has(&said("4", &live)));
        assert!(!news.has(&said("1", "")));
    }

    #[test]
    fn r7_of_what_is_alike_the_newest_is_compared() {
        let alike: Vec<_> = (0..=ALIKE).map(|n| said("1", &format!("<body>a</body><n{n}/>"))).collect();
        let news = News::of(alike.iter());
        assert!(!news.has(&alike[0]));
        assert!(alike[1..].iter().all(|message| news.has(message)));
    }
}
