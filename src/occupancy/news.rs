//! What a waiting session will be shown as news, so that it is not shown it as history too (H10).

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::xmpp::archive::NS_STANZA_ID;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::stanza::{Element, Kept, Stanza};

/// With so many of those that are most alike a message is compared, the newest first: a room may send the same again and
/// again.
const ALIKE: usize = 8;

/// What has come since a session asked, to be looked up.
pub(super) struct News<'a> {
    account: &'a str,
    /// In the order of their keys, and of one key the oldest first.
    came: Vec<(Key<'a>, &'a Stanza)>,
}

/// Id, sender, and a hash of the first element: a delay, which one of two copies may lack, stands at the end.
type Key<'a> = (Option<&'a str>, Option<&'a str>, u64);

fn key(stanza: &Stanza) -> Key<'_> {
    let mut hasher = FxHasher::default();
    stanza.children.first().hash(&mut hasher);
    (stanza.id.as_deref(), stanza.from.as_ref().map(Jid::as_str), hasher.finish())
}

impl<'a> News<'a> {
    pub(super) fn of(account: &'a BareJid, stanzas: impl Iterator<Item = &'a Kept>) -> Self {
        let mut came: Vec<_> = stanzas.map(|stanza| (key(stanza), &**stanza)).collect();
        came.sort_by_key(|(key, _)| *key);
        Self { account: account.as_str(), came }
    }

    /// Whether a kept message is among them.
    pub(super) fn has(&self, message: &Stanza) -> bool {
        let wanted = key(message);
        let end = self.came.partition_point(|(key, _)| *key <= wanted);
        let alike = self.came.iter().take(end).rev().take_while(|(key, _)| *key == wanted);
        alike.take(ALIKE).any(|(_, news)| shows(message, news, self.account))
    }
}

/// Whether a kept stanza is that message; either may have a delay more, and the message an id of the account's archive.
fn shows(shown: &Stanza, message: &Stanza, account: &str) -> bool {
    let is_of_archive =
        |child: &Element| child.is("stanza-id", NS_STANZA_ID) && child.attribute("by") == Some(account);
    let children = match message.children.split_last() {
        Some((last, rest)) if is_of_archive(last) => rest,
        Some(_) | None => &message.children,
    };
    shown.kind == message.kind
        && shown.id == message.id
        && shown.from == message.from
        && (shown.children.starts_with(children) || children.starts_with(&shown.children))
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
        let archived = format!("{live}<stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='1'/>");
        let came = [said("1", &live), said("2", &dated), said("3", &live), said("5", &archived)];
        let account = BareJid::new("alice@example.org");
        let news = News::of(&account, came.iter());
        assert!(news.has(&said("1", &dated)) && news.has(&said("2", &live)) && news.has(&said("3", &live)));
        assert!(news.has(&said("5", &dated)) && news.has(&said("5", &live)));
        assert!(!news.has(&said("1", "<body>b</body>")) && !news.has(&said("4", &live)));
        assert!(!news.has(&said("1", "")));
    }

    #[test]
    fn r7_of_what_is_alike_the_newest_is_compared() {
        let alike: Vec<_> = (0..=ALIKE).map(|n| said("1", &format!("<body>a</body><n{n}/>"))).collect();
        let account = BareJid::new("alice@example.org");
        let news = News::of(&account, alike.iter());
        assert!(!news.has(&alike[0]));
        assert!(alike[1..].iter().all(|message| news.has(message)));
    }
}
