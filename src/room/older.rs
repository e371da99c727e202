//! What came before all that is kept, from the room's archive (XEP-0313, design decision 17).

use crate::config::Config;
use crate::event::Now;
use crate::room::gap::Gap;
use crate::room::history::History;
use crate::room::request::{Asked, HistoryRequest};
use crate::room::seen::stanza_id;
use crate::xmpp::delay;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stanza::Kept;

/// The oldest message that is kept, with nothing missing after it: what the room calls it, and its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) id: Option<Box<str>>,
    pub(crate) stamp_ms: i64,
}

impl Gap {
    /// Up to when the archive may have messages that the copy has not.
    fn archive_ms(self) -> Option<i64> {
        self.up_to_ms.max(self.archived_up_to_ms)
    }

    /// The archive has shown all from that time on, or all that it has.
    pub(super) fn note_archived(&mut self, since_ms: Option<i64>) {
        let before_ms = since_ms.map(|since_ms| since_ms.saturating_sub(1));
        self.up_to_ms = self.up_to_ms.min(before_ms);
        self.archived_up_to_ms = self.archived_up_to_ms.min(before_ms);
    }
}

impl History {
    /// The copy has been lost with a stop. What came until then may be in the archive.
    pub(crate) fn note_lost(&mut self) {
        (self.gap.archived_up_to_ms, self.gap.logged_up_to_ms) = (Some(i64::MAX), Some(i64::MAX));
    }

    /// Whether the archive has nothing for that request that the copy has not, as far as it is known. So many of the
    /// messages are not for the history of that session, which may have said nothing of history.
    pub(crate) fn needs_no_archive(
        &self,
        request: &HistoryRequest,
        others: usize,
        now: Now,
        config: &Config,
    ) -> bool {
        !request.is_said() || self.reaches(self.gap.archive_ms(), request, others, now, config)
    }

    /// Before what the archive is asked. Nothing, if messages may be missing between those that are kept.
    pub(crate) fn edge(&self, room: &BareJid) -> Option<Edge> {
        let oldest = self.entries.front()?;
        let stamp_ms = oldest.stamp_ms.filter(|stamp_ms| self.gap.archive_ms() <= Some(*stamp_ms))?;
        Some(Edge { id: stanza_id(&oldest.stanza, room).map(Into::into), stamp_ms })
    }

    /// How many messages are kept.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is let go.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// While the archive is asked, nothing is let go: what it shows would not be what came just before.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Takes in what the archive has shown, in the order of its stamps.
    pub(crate) fn add_older(&mut self, mut older: Vec<Kept>, room: &BareJid, now: Now, config: &Config) {
        older.sort_by_key(|message| delay::stamp(message, room));
        self.put_earlier(|history| {
            if let Some(fetch) = &mut history.fetch {
                fetch.was_whole = false; // what is older is news to nobody
            }
            for message in older {
                history.take_in(&message, room, now, config);
            }
        });
    }

    /// Lets messages be put where they belong before what is kept. A fetch that is under way goes on behind them.
    pub(super) fn put_earlier(&mut self, put: impl FnOnce(&mut Self)) {
        let count = self.entries.len();
        let interrupted = self.fetch.take();
        self.begin_fetch(Asked { most: None, since_ms: None });
        put(self);
        let added = self.entries.len().saturating_sub(count);
        self.fetch = interrupted.map(|mut fetch| {
            fetch.cursor += added;
            fetch
        });
    }

    /// The archive has no more from that time on, or at all.
    pub(crate) fn note_all_older(&mut self, since_ms: Option<i64>) {
        self.gap.note_archived(since_ms);
    }

    /// The archive may have more before what it has shown.
    pub(crate) fn note_some_older(&mut self) {
        let oldest_ms = self.entries.front().and_then(|oldest| oldest.stamp_ms);
        self.gap.up_to_ms = oldest_ms.or(self.gap.up_to_ms);
        self.gap.archived_up_to_ms = oldest_ms.or(self.gap.archived_up_to_ms);
    }
}
