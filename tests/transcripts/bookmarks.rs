//! What becomes of bookmarks.

use minimix_core::bookmark::Bookmark;
use minimix_core::event::Event;
use minimix_core::xmpp::jid::BareJid;

use crate::shorthand::ROOM;

/// `bookmarks - alice password=secret`, `bookmarks - not`, `takes its bookmarks away`, `logs in with -, den@rooms.example ally`;
/// `logs in unread` if they can't be read; nothing for anything else.
pub(crate) fn of_bookmarks(account: &BareJid, what: &str) -> Option<Event> {
    let account = account.clone();
    if let Some(bookmark) = what.strip_prefix("bookmarks ") {
        let (room, said) = read(bookmark);
        let bookmark = (said != "not").then(|| bookmark_of(said));
        return Some(Event::BookmarkChanged { account, room, bookmark });
    }
    if what == "takes its bookmarks away" {
        return Some(Event::BookmarksPurged { account });
    }
    if what == "logs in unread" {
        return Some(Event::LoggedIn { account, bookmarks: None });
    }
    let listed = what.strip_prefix("logs in")?.strip_prefix(" with ");
    let bookmarks = listed.into_iter().flat_map(|listed| listed.split(", ")).map(read);
    let bookmarks = bookmarks.map(|(room, said)| (room, bookmark_of(said)));
    Some(Event::LoggedIn { account, bookmarks: Some(bookmarks.collect()) })
}

fn read(bookmark: &str) -> (BareJid, &str) {
    let (room, said) = bookmark.split_once(' ').unwrap_or((bookmark, ""));
    (BareJid::new(if room == "-" { ROOM } else { room }), said)
}

fn bookmark_of(said: &str) -> Bookmark {
    let mut words = said.split(' ').filter(|word| !word.is_empty()).peekable();
    let nick = words.next_if(|word| !word.starts_with("password="));
    let password = words.next().and_then(|word| word.strip_prefix("password="));
    Bookmark::read(Some("true"), nick, password).expect("a bookmark")
}
