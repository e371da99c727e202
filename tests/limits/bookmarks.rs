//! What bookmarks without end cost.

use minimix_core::bookmark::Bookmark;

use super::*;

#[test]
fn b5_an_account_that_bookmarks_without_end_is_not_remembered_without_end() {
    let mut core = Core::in_room();
    let account = BareJid::new("alice@example.org");
    for number in 0..limit::BOOKMARKS + 10 {
        let room = BareJid::new(&format!("r{number}@rooms.example"));
        let bookmark = Bookmark::read(Some("true"), None, None);
        core.happens(Event::BookmarkChanged { account: account.clone(), room, bookmark });
    }
    let state = core.state();
    assert_eq!(len(&state["accounts"]["alice@example.org"]["profile"]["bookmarks"]), limit::BOOKMARKS);
    assert_eq!(len(&state["errands"]["accounts"]["alice@example.org"]["rooms"]), limit::BOOKMARKS);
}
