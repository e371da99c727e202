//! Sessions ask for more history than is kept. The room's archive is asked for what came before, page by page and
//! backwards: one search for all who wait (XEP-0313, design decision 17). If the archive shows nothing, a resync has to do.

use serde::{Deserialize, Serialize};

use super::missed::is_unreachable;
use super::phase::{In, Stay};
use crate::config::limit;
use crate::pending::backlog::Backlog;
use crate::room::history::is_historic;
use crate::room::older::Edge;
use crate::sessions::{Ask, LogFor, SearchFor};
use crate::turn::Turn;
use crate::xmpp::archive::{self, Archived, Page, Wanted};
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::{IqType, Kept, Stanza};

/// What is known of the archive in this stay, and the search in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Older {
    /// The archive has not answered, and is asked again no sooner than then.
    not_before_ms: u64,
    search: Option<Box<Search>>,
}

/// The archive is asked for what came before.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Search {
    /// The id of the query.
    query: Box<str>,
    until_ms: u64,
    /// How many messages are wanted.
    most: usize,
    /// From when on they are wanted.
    since_ms: Option<i64>,
    /// Up to when.
    edge_ms: Option<i64>,
    /// Before which message of the archive, as it calls it.
    before: Option<Box<str>>,
    /// How many results have come, whatever they were.
    received: usize,
    page: Pages,
    found: Backlog,
}

/// The page that comes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pages {
    first: Option<Box<str>>,
    messages: Backlog,
    /// Whether it is too large to be kept.
    is_cut: bool,
}

/// What follows from the end of a page.
enum Next {
    Page,
    End { is_all: bool },
}

impl Older {
    /// The archive is asked no more in this stay.
    pub(super) fn note_refused(&mut self) {
        self.not_before_ms = u64::MAX;
    }

    /// When the search is given up.
    pub(super) fn until_ms(&self) -> Option<u64> {
        self.search.as_ref().map(|search| search.until_ms)
    }

    /// About how many bytes wait for its end.
    pub(super) fn cost(&self) -> usize {
        self.search.as_ref().map_or(0, |search| search.found.cost() + search.page.messages.cost())
    }

    fn search_of(&mut self, query: &str) -> Option<&mut Search> {
        self.search.as_deref_mut().filter(|search| *search.query == *query)
    }
}

impl Search {
    fn wanted(&self) -> Wanted {
        let until_ms =
            self.edge_ms.filter(|_| self.before.is_none()).map(|edge_ms| edge_ms.saturating_sub(1));
        Wanted::Before { id: self.before.clone(), since_ms: self.since_ms, until_ms }
    }

    fn left(&self) -> usize {
        self.most.saturating_sub(self.found.len())
    }

    /// Whether a message of that time is wanted. Clocks differ.
    fn wants(&self, stamp_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| stamp_ms >= since_ms)
            && self.edge_ms.is_none_or(|edge_ms| stamp_ms <= edge_ms.saturating_add(limit::GAP_SLACK_MS))
    }

    /// Takes in a message of the page. Of more than are wanted the oldest are not.
    fn keep(&mut self, turn: &mut Turn<'_>, message: Kept) {
        let page = &mut self.page;
        page.is_cut |= !turn.keep(&mut page.messages, limit::GAP_COST, message);
        if self.found.len() + page.messages.len() > self.most {
            page.messages.pop_front();
        }
    }

    /// Puts the page before what has been found, unless messages between them are missing. Says what follows.
    fn end_page(&mut self, end: &Page, most: usize) -> Next {
        let page = std::mem::take(&mut self.page);
        if page.is_cut || self.found.cost() > limit::GAP_COST {
            return Next::End { is_all: false };
        }
        self.found.prepend(&page.messages);
        let before = end.first.clone().or(page.first);
        let goes_on = before.is_some() && before != self.before && self.received < most;
        if end.is_last || !goes_on || self.left() == 0 {
            return Next::End { is_all: end.is_last };
        }
        self.before = before;
        Next::Page
    }
}

impl SearchFor {
    /// Whether the archive is being asked, or has shown what it has.
    pub(super) fn is_for_archive(self) -> bool {
        matches!(self, Self::Asked | Self::Found)
    }

    /// The copy is about to be another: what has been found may be let go before it is shown.
    pub(super) fn forget_found(&mut self) {
        if *self == Self::Found {
            *self = Self::Nothing;
        }
    }
}

impl Stay {
    fn may_search(&self, turn: &Turn<'_>) -> bool {
        turn.is_due(self.older.not_before_ms)
    }
}

impl In<'_> {
    /// Whether the archive has to be asked for that session, or is being asked.
    pub(super) fn needs_search(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        match ask.search {
            SearchFor::Found | SearchFor::Failed => false,
            SearchFor::Asked if self.stay.older.search.is_some() => true,
            SearchFor::Asked | SearchFor::Nothing => {
                self.stay.may_search(turn) && self.lacks_older(turn, ask)
            }
        }
    }

    fn lacks_older(&self, turn: &Turn<'_>, ask: &Ask) -> bool {
        let history = &self.base.room.history;
        !history.needs_no_archive(&ask.history, ask.later.len(), turn.now, turn.config)
    }

    /// Asks the archive for all who wait, unless it is being asked.
    pub(super) fn search_older(&mut self, turn: &mut Turn<'_>) {
        if self.stay.older.search.is_some() {
            return;
        }
        let (most, since_ms) = self.note_searched(turn);
        let history = &mut self.base.room.history;
        let edge = history.edge(&self.base.me.room);
        let known = edge.as_ref().map_or(0, |_| history.count());
        history.hold(true);
        let most = most.saturating_sub(known).clamp(1, turn.config.history_max.max(1));
        let (before, edge_ms) = edge.map_or((None, None), |Edge { id, stamp_ms }| (id, Some(stamp_ms)));
        self.stay.older.search = Some(Box::new(Search {
            query: Box::default(),
            until_ms: turn.after(limit::GAP_MS),
            most,
            since_ms,
            edge_ms,
            before,
            received: 0,
            page: Pages::default(),
            found: Backlog::default(),
        }));
        self.ask_older(turn);
    }

    /// Notes for whom the archive is asked: how many messages they want at most, and since when.
    fn note_searched(&mut self, turn: &Turn<'_>) -> (usize, Option<i64>) {
        let (mut most, mut since_ms) = (0, Some(i64::MAX));
        let history = &self.base.room.history;
        for ask in self.base.sessions.asks_mut() {
            let is_enough = history.needs_no_archive(&ask.history, ask.later.len(), turn.now, turn.config);
            if !is_enough && matches!(ask.search, SearchFor::Nothing | SearchFor::Asked) {
                ask.search = SearchFor::Asked;
                most = most.max(ask.history.most(turn.config).saturating_add(ask.later.len()));
                since_ms = since_ms.min(ask.history.oldest_ms(turn.now)); // none is the least
            }
        }
        (most, since_ms)
    }

    /// Asks for the next page.
    fn ask_older(&mut self, turn: &mut Turn<'_>) {
        let Some(search) = &mut self.stay.older.search else { return };
        let id = turn.fresh_id();
        search.query = id.clone();
        let query = archive::query(&id, &search.wanted(), limit::GAP_PAGE.min(search.left()));
        turn.send(self.base.me.question(IqType::Set, &id, query));
    }

    /// Takes in a result of the archive; false if it is none of the search.
    pub(super) fn older_came(&mut self, turn: &mut Turn<'_>, message: &Stanza) -> bool {
        let Some(search) = &mut self.stay.older.search else { return false };
        let Some(result) = archive::result(message, &search.query) else { return false };
        search.received = search.received.saturating_add(1);
        let Some(archived) = Archived::read(result) else { return true };
        search.page.first.get_or_insert_with(|| archived.id.clone());
        let is_wanted = archived.stamp_ms.is_some_and(|stamp_ms| search.wants(stamp_ms));
        if is_wanted && self.base.may_be_of_room(&archived.message) {
            let message = self.base.as_past(archived);
            if is_historic(&message) {
                search.keep(turn, message);
            }
        }
        true
    }

    /// Takes in an answer of the archive; false if it is none of the search.
    pub(super) fn older_answered(&mut self, turn: &mut Turn<'_>, answer: &Stanza) -> bool {
        let is_from_room = answer.from.as_ref().map(Jid::as_str) == Some(self.base.me.room.as_str());
        let id = answer.id.as_deref().filter(|_| is_from_room).unwrap_or_default();
        let is_wanted = self.base.sessions.asks().any(|ask| ask.search == SearchFor::Asked);
        let Some(search) = self.stay.older.search_of(id) else { return false };
        match Page::read(answer).map(|page| search.end_page(&page, turn.config.history_max)) {
            Some(Next::Page) if is_wanted => self.ask_older(turn),
            Some(Next::Page) => self.end_search(turn, false),
            Some(Next::End { is_all }) => self.end_search(turn, is_all),
            None if is_unknown_id(answer, search) => {
                search.before = None;
                self.ask_older(turn);
            }
            None => {
                if !is_unreachable(answer) {
                    self.stay.older.note_refused();
                }
                self.end_search(turn, false);
            }
        }
        true
    }

    /// The archive has not answered in time.
    pub(super) fn older_unanswered(&mut self, turn: &mut Turn<'_>) {
        self.stay.older.not_before_ms = turn.after(limit::ARCHIVE_SILENT_MS);
        self.end_search(turn, false);
    }

    /// Shows the sessions that have waited the room, with what has been found.
    fn end_search(&mut self, turn: &mut Turn<'_>, is_all: bool) {
        let Some(search) = self.stay.older.search.take() else { return };
        let Search { found, since_ms, .. } = *search;
        let has_found = is_all || found.len() > 0;
        let history = &mut self.base.room.history;
        history.add_older(found.into_iter().collect(), &self.base.me.room, turn.now, turn.config);
        if is_all {
            history.note_all_older(since_ms);
        } else if has_found {
            history.note_some_older();
        }
        for ask in self.base.sessions.asks_mut().filter(|ask| ask.search == SearchFor::Asked) {
            ask.search = if has_found { SearchFor::Found } else { SearchFor::Failed };
        }
        self.serve(turn);
    }

    /// Lets go what has been found, once those who wait for it have been shown it.
    pub(super) fn release_older(&mut self, turn: &Turn<'_>) {
        let is_found = |ask: &Ask| ask.search == SearchFor::Found || ask.log == LogFor::Read;
        let is_asked = || self.stay.older.search.is_some() || self.is_reading_log();
        let is_wanted = || self.base.sessions.asks().any(is_found);
        if self.base.room.history.is_held() && !is_asked() && !is_wanted() {
            self.base.room.history.hold(false);
            self.base.room.history.trim(turn.now, turn.config);
        }
    }
}

/// Whether the archive does not know the message before which it was asked first.
fn is_unknown_id(error: &Stanza, search: &Search) -> bool {
    search.before.is_some() && search.received == 0 && error.error_condition() == Some("item-not-found")
}
