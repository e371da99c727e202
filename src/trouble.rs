//! Services that may be out of reach: one recovery for each, however many rooms are there (K8).

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::config::limit;
use crate::event::Now;
use crate::ids::Ids;

/// The services that are not simply up. Of one that is up nothing is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Troubles {
    services: BTreeMap<String, Trouble>,
    /// Makes the pauses of this server others than those of another one; the same after a reload.
    salt: u64,
    /// When something is due next.
    next_ms: Option<u64>,
}

/// What is the matter with a service. `docs/states.md` has the whole table.
#[derive(Debug, Serialize, Deserialize)]
struct Trouble {
    /// Since when it has not been heard of.
    since_ms: u64,
    stage: Stage,
}

#[derive(Debug, Serialize, Deserialize)]
enum Stage {
    /// A stream broke, or a stanza of ours could not be delivered. Unless it is heard of, it is asked.
    Doubtful { ask_ms: u64 },
    /// It has been asked, perhaps once more.
    Asked { id: Box<str>, deadline_ms: u64, is_called: bool, is_again: bool },
    /// It did not answer. It is asked again.
    Down { ask_ms: u64 },
    /// It is up again. The rooms that have not been heard of since wait for their turn.
    Recovering,
}

/// What a stanza of a room says about its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It is there.
    Heard,
    /// A stanza of ours could not be delivered to it, or it says that it goes down.
    Unreachable,
}

impl Troubles {
    /// All services are up.
    pub(crate) fn none(salt: u64) -> Self {
        Self { salt, ..Self::default() }
    }

    /// Whether all services are up. What comes from their rooms need not be looked at then.
    pub(crate) fn are_none(&self) -> bool {
        self.services.is_empty()
    }

    /// Whether a service may be out of reach, so that its rooms are not asked.
    pub(crate) fn is_out(&self, domain: &str) -> bool {
        self.services.get(domain).is_some_and(|trouble| !matches!(trouble.stage, Stage::Recovering))
    }

    /// Whether a service has been asked in vain, and has not been heard of since.
    pub(crate) fn is_down(&self, domain: &str) -> bool {
        let stage = self.services.get(domain).map(|trouble| &trouble.stage);
        matches!(stage, Some(Stage::Down { .. } | Stage::Asked { is_again: true, .. }))
    }

    /// Since when the rooms of a service that is up again may have lost the account unheard.
    pub(crate) fn unheard_since_ms(&self, domain: &str) -> Option<u64> {
        self.services.get(domain).map(|trouble| trouble.since_ms)
    }

    /// The services that are up again.
    pub(crate) fn recovering(&self) -> Vec<String> {
        let recovering =
            self.services.iter().filter(|(_, trouble)| matches!(trouble.stage, Stage::Recovering));
        recovering.map(|(domain, _)| domain.clone()).collect()
    }

    /// A service may be out of reach, and is asked if it stays silent; false if that is known, or too many are.
    pub(crate) fn doubt(&mut self, now: Now, domain: &str) -> bool {
        let since_ms = now.monotonic_ms;
        let has_space = self.services.len() < limit::TROUBLED_SERVICES || self.services.contains_key(domain);
        if self.is_out(domain) || !has_space {
            return false;
        }
        let stage = Stage::Doubtful { ask_ms: since_ms + limit::DOUBT_MS };
        self.services.insert(domain.to_owned(), Trouble { since_ms, stage });
        self.note_next();
        true
    }

    /// A service has shown that it is there; false if nobody doubted that.
    pub(crate) fn note_heard(&mut self, domain: &str) -> bool {
        let was_out = self.is_out(domain);
        if let Some(trouble) = self.services.get_mut(domain).filter(|_| was_out) {
            trouble.stage = Stage::Recovering;
            self.note_next();
        }
        was_out
    }

    /// The service has not answered that question, or somebody says that it can't.
    pub(crate) fn note_unreachable(&mut self, now: Now, domain: &str, id: &str) {
        let asked = self.services.get_mut(domain).filter(|trouble| trouble.has_asked(id));
        if let Some(trouble) = asked {
            trouble.fail(now, &(self.salt, domain));
            self.note_next();
        }
    }

    /// A stream with a service stands: one that is out of reach is asked at once. One that has been asked answers on the
    /// stream that this opened, but if the peer has opened it, the next question comes soon.
    pub(crate) fn note_stream(&mut self, now: Now, domain: &str, is_of_peer: bool) {
        let Some(trouble) = self.services.get_mut(domain) else { return };
        match &mut trouble.stage {
            Stage::Doubtful { ask_ms } | Stage::Down { ask_ms } => *ask_ms = now.monotonic_ms,
            Stage::Asked { is_called, .. } => *is_called |= is_of_peer,
            Stage::Recovering => {}
        }
        self.note_next();
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next_ms
    }

    fn note_next(&mut self) {
        self.next_ms = self.services.values().filter_map(|trouble| trouble.stage.deadline()).min();
    }

    /// The services for which something is due.
    pub(crate) fn due(&self, now: Now) -> Vec<String> {
        if self.next_ms.is_none_or(|next_ms| next_ms > now.monotonic_ms) {
            return Vec::new();
        }
        let is_due = |trouble: &Trouble| trouble.stage.deadline().is_some_and(|due| due <= now.monotonic_ms);
        self.services
            .iter()
            .filter(|(_, trouble)| is_due(trouble))
            .map(|(domain, _)| domain.clone())
            .collect()
    }

    /// Does what is due for a service, and gives the id under which it is to be asked.
    pub(crate) fn advance(&mut self, now: Now, domain: &str, ids: &mut Ids) -> Option<Box<str>> {
        let trouble = self.services.get_mut(domain)?;
        let is_again = match &trouble.stage {
            Stage::Doubtful { .. } => false,
            Stage::Down { .. } => true,
            Stage::Asked { .. } => {
                trouble.fail(now, &(self.salt, domain));
                self.note_next();
                return None;
            }
            Stage::Recovering => return None,
        };
        let id = ids.next();
        let deadline_ms = now.monotonic_ms + limit::SERVICE_ANSWER_MS;
        trouble.stage = Stage::Asked { id: id.clone(), deadline_ms, is_called: false, is_again };
        self.note_next();
        Some(id)
    }

    /// Nothing need be known of that service any more.
    pub(crate) fn forget(&mut self, domain: &str) {
        self.services.remove(domain);
        self.note_next();
    }
}

impl Trouble {
    fn has_asked(&self, by_id: &str) -> bool {
        matches!(&self.stage, Stage::Asked { id, .. } if **id == *by_id)
    }

    /// It has been asked in vain. If its server has called meanwhile, it is asked again soon.
    fn fail(&mut self, now: Now, whose: &(u64, &str)) {
        let Stage::Asked { is_called, .. } = self.stage else { return };
        let down_ms = if is_called { 0 } else { now.since(self.since_ms) };
        self.stage = Stage::Down { ask_ms: now.monotonic_ms + pause_ms(down_ms, whose) };
    }
}

impl Stage {
    fn deadline(&self) -> Option<u64> {
        match self {
            Self::Doubtful { ask_ms } | Self::Down { ask_ms } => Some(*ask_ms),
            Self::Asked { deadline_ms, .. } => Some(*deadline_ms),
            Self::Recovering => None,
        }
    }
}

/// How long a service is left alone that is out of reach for so long: half of that, or up to two fifths less (K8). So it is never
/// noticed late that a short outage is over, and a long one costs little.
fn pause_ms(down_ms: u64, whose: &(u64, &str)) -> u64 {
    let pause_ms = (down_ms / 2).clamp(limit::SERVICE_PAUSE_MS, limit::SERVICE_PAUSE_MOST_MS);
    let mut hasher = FxHasher::default();
    (whose, down_ms).hash(&mut hasher);
    pause_ms - hasher.finish() % (2 * pause_ms / 5)
}

/// Whether an error says that a service was not reached. `recipient-unavailable` is what `mod_smacks` makes of what it had not
/// delivered when a stream broke, `resource-constraint` what `mod_s2s` makes of what finds no space to wait.
pub(crate) fn is_unreachable(condition: &str) -> bool {
    condition.starts_with("remote-server-")
        || matches!(condition, "recipient-unavailable" | "resource-constraint")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MINUTE_MS, SECOND_MS};

    const FAR: &str = "rooms.example";

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, utc_ms: 0 }
    }

    #[test]
    fn k8_pauses_grow_from_four_seconds_to_five_minutes_and_are_never_the_same() {
        for (down_s, seconds) in
            [(0, 4), (3, 4), (8, 4), (20, 10), (300, 150), (600, 300), (u64::MAX / 1_000, 300)]
        {
            let pauses: Vec<u64> = (0..20).map(|salt| pause_ms(down_s * 1_000, &(salt, FAR)) / 100).collect();
            let around = seconds * 6..=seconds * 10;
            assert!(pauses.iter().all(|pause| around.contains(pause)), "{down_s}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{down_s}: {pauses:?}");
        }
    }

    #[test]
    fn k8_a_stream_of_the_peer_while_it_is_asked_makes_the_next_question_come_soon() {
        let (mut troubles, mut ids) = (Troubles::default(), Ids::new(1.into()));
        let mut now = at(0);
        assert!(troubles.doubt(now, FAR) && !troubles.doubt(now, FAR));
        for _ in 0..20 {
            now = at(troubles.next().unwrap());
            troubles.advance(now, FAR, &mut ids);
        }
        let is_asked = |troubles: &Troubles| matches!(troubles.services[FAR].stage, Stage::Asked { .. });
        while !is_asked(&troubles) {
            now = at(troubles.next().unwrap());
            troubles.advance(now, FAR, &mut ids);
        }
        troubles.note_stream(now, FAR, true);
        now = at(troubles.next().unwrap());
        troubles.advance(now, FAR, &mut ids);
        assert!(troubles.next().unwrap() - now.monotonic_ms <= 6 * SECOND_MS);
        now = at(troubles.next().unwrap());
        troubles.advance(now, FAR, &mut ids);
        troubles.note_stream(now, FAR, false);
        now = at(troubles.next().unwrap());
        troubles.advance(now, FAR, &mut ids);
        assert!(troubles.next().unwrap() - now.monotonic_ms >= 3 * MINUTE_MS);
    }

    #[test]
    fn k8_an_earlier_question_that_fails_late_does_not_count() {
        let (mut troubles, mut ids) = (Troubles::default(), Ids::new(1.into()));
        troubles.doubt(at(0), FAR);
        let first = troubles.advance(at(15_000), FAR, &mut ids).unwrap();
        troubles.note_unreachable(at(15_001), FAR, &first);
        let again = at(troubles.next().unwrap());
        let second = troubles.advance(again, FAR, &mut ids).unwrap();
        troubles.note_unreachable(again, FAR, &first);
        assert_eq!(troubles.next(), Some(again.monotonic_ms + limit::SERVICE_ANSWER_MS));
        troubles.note_unreachable(again, FAR, &second);
        assert!(troubles.next() < Some(again.monotonic_ms + limit::SERVICE_ANSWER_MS));
    }

    #[test]
    fn r7_troubled_services_are_limited() {
        let mut troubles = Troubles::default();
        for number in 0..limit::TROUBLED_SERVICES {
            assert!(troubles.doubt(at(0), &format!("s{number}.example")));
        }
        assert!(!troubles.doubt(at(0), FAR) && !troubles.is_out(FAR));
        assert!(troubles.note_heard("s0.example") && troubles.doubt(at(0), "s0.example"));
    }
}
