//! What is kept of a history: the newest messages, as far as there is space.

use crate::config::{Config, limit};
use crate::event::Now;
use crate::room::history::{Entry, History};

impl History {
    /// Lets go what is over a limit, the oldest first. While the room or its archive is showing history there may be more.
    pub(crate) fn trim(&mut self, now: Now, config: &Config) {
        let (most, cost) = if self.is_full {
            (0, 0)
        } else if self.fetch.is_some() || self.is_held {
            (config.history.saturating_add(config.history_max), limit::FETCHED_COST.max(config.history_bytes))
        } else {
            (config.history, config.history_bytes)
        };
        let is_old = |entry: &Entry| now.since(entry.came_ms) > config.history_age_ms;
        while self.entries.len() > most || self.cost > cost || self.entries.front().is_some_and(is_old) {
            if self.let_go_oldest().is_none() {
                return;
            }
        }
    }

    /// Lets go the oldest messages that cost so much together; gives how much they did cost.
    pub(super) fn spare(&mut self, wanted: usize) -> usize {
        let mut spared = 0;
        while spared < wanted {
            let Some(cost) = self.let_go_oldest() else { break };
            spared += cost;
        }
        spared
    }

    /// When the oldest message came.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        self.entries.front().map(|oldest| oldest.came_ms)
    }

    /// About how many bytes it costs.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    fn let_go_oldest(&mut self) -> Option<usize> {
        let oldest = self.entries.pop_front()?;
        self.cost = self.cost.saturating_sub(oldest.cost);
        self.gap.up_to_ms = self.gap.up_to_ms.max(oldest.stamp_ms).or(Some(i64::MAX));
        self.gap.archived_up_to_ms = self.gap.archived_up_to_ms.max(oldest.stamp_ms);
        self.gap.logged_up_to_ms = self.gap.logged_up_to_ms.max(oldest.stamp_ms);
        if let Some(fetch) = &mut self.fetch {
            fetch.note_cut();
        }
        Some(oldest.cost)
    }
}
