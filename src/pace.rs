//! How fast the rooms of a service are asked, so that a start or an outage is no flood (K8).

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use crate::config::{SECOND_MS, limit};
use crate::event::Now;
use crate::xmpp::jid::BareJid;

/// How long after a presence the next one goes up to the same service.
const PRESENCE_PAUSE_MS: u64 = SECOND_MS / limit::PRESENCES_PER_SECOND;

/// The lane of the services that have none of their own.
const SHARED: &str = "";

/// The rooms that wait for their turn, service by service.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pace {
    lanes: BTreeMap<String, Lane>,
    /// When the next turn comes.
    next_ms: Option<u64>,
}

/// What a room has done with its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Nothing: it has been heard of, or the account is not in.
    Nothing,
    /// It has been asked whether the account is in.
    Ping,
    /// A presence of ours goes up: the account leaves it, or joins it again.
    Presence,
}

/// The rooms of one service.
#[derive(Debug, Serialize, Deserialize)]
struct Lane {
    /// Each with its account.
    waiting: VecDeque<(BareJid, BareJid)>,
    next_ms: u64,
    /// Those that have been lost, and wait to be joined again: they go first.
    lost: VecDeque<(BareJid, BareJid)>,
    /// When the next presence may go up.
    presence_ms: u64,
    per_second: u64,
    /// When the pace was last looked at.
    judged_ms: u64,
    /// How many have been asked since then.
    asked: usize,
    /// How long the slowest answer has taken since then.
    slowest_ms: Option<u64>,
}

impl Pace {
    /// A room has to wait for its turn. The first comes by itself within a second.
    pub(crate) fn wait(&mut self, now: Now, account: &BareJid, room: &BareJid) {
        let first_ms = now.monotonic_ms + spread(account, room) % SECOND_MS;
        let lane = self.lane(now, room.domain(), first_ms);
        lane.waiting.push_back((account.clone(), room.clone()));
        self.note_next();
    }

    /// A room that is lost may be joined again at once; else it waits for its turn, and false is given.
    pub(crate) fn may_join(&mut self, now: Now, account: &BareJid, room: &BareJid) -> bool {
        let lane = self.lane(now, room.domain(), now.monotonic_ms);
        let may_join = lane.lost.is_empty() && lane.presence_ms <= now.monotonic_ms;
        if may_join {
            lane.presence_ms = now.monotonic_ms + PRESENCE_PAUSE_MS;
        } else {
            lane.lost.push_back((account.clone(), room.clone()));
        }
        self.note_next();
        may_join
    }

    /// The lane of a service; a new one has its first turn then.
    fn lane(&mut self, now: Now, domain: &str, first_ms: u64) -> &mut Lane {
        if self.lanes.len() >= limit::PACED_SERVICES || self.lanes.contains_key(SHARED) {
            self.lanes.retain(|_, lane| lane.is_busy(now));
        }
        let name = self.lane_of(domain).to_owned();
        let lane = self.lanes.entry(name).or_insert_with(|| Lane::new(first_ms));
        if !lane.is_busy(now) {
            *lane = Lane::new(first_ms);
        }
        lane
    }

    /// No room of that service waits any more, and what its pace was says nothing.
    pub(crate) fn forget(&mut self, domain: &str) {
        if self.lanes.remove(domain).is_none()
            && let Some(lane) = self.lanes.get_mut(SHARED)
        {
            lane.waiting.retain(|(_, room)| room.domain() != domain);
            lane.lost.retain(|(_, room)| room.domain() != domain);
        }
        self.note_next();
    }

    /// When the next turn comes.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next_ms
    }

    /// Takes out a room whose turn has come, with its account.
    pub(crate) fn take(&mut self, now: Now) -> Option<(BareJid, BareJid)> {
        if self.next_ms.is_none_or(|next_ms| next_ms > now.monotonic_ms) {
            return None;
        }
        self.lanes.values_mut().find_map(|lane| lane.take(now))
    }

    /// A room has had its turn.
    pub(crate) fn note_turn(&mut self, now: Now, domain: &str, load: Load) {
        let name = self.lane_of(domain).to_owned();
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.note_turn(now, load);
        }
        self.note_next();
    }

    /// A service has taken that long to answer a room's question, or longer.
    pub(crate) fn note_answer(&mut self, domain: &str, took_ms: u64) {
        let name = self.lane_of(domain).to_owned();
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.slowest_ms = lane.slowest_ms.max(Some(took_ms));
        }
    }

    /// Whether rooms of that service wait.
    pub(crate) fn has_waiting(&self, domain: &str) -> bool {
        self.lanes.get(self.lane_of(domain)).is_some_and(Lane::has_waiting)
    }

    #[cfg(test)]
    pub(crate) fn count(&self, domain: &str) -> usize {
        self.lanes.get(self.lane_of(domain)).map_or(0, |lane| lane.waiting.len())
    }

    /// The lane of a service. Those that find no space for one of their own share one, and while that is in use, so do
    /// all that come later.
    fn lane_of<'a>(&self, domain: &'a str) -> &'a str {
        let has_space = self.lanes.len() < limit::PACED_SERVICES && !self.lanes.contains_key(SHARED);
        if has_space || self.lanes.contains_key(domain) { domain } else { SHARED }
    }

    fn note_next(&mut self) {
        self.next_ms = self.lanes.values().filter_map(Lane::next).min();
    }
}

impl Lane {
    fn new(next_ms: u64) -> Self {
        let per_second = limit::PINGS_PER_SECOND_FIRST;
        Self {
            waiting: VecDeque::new(),
            next_ms,
            lost: VecDeque::new(),
            presence_ms: 0,
            per_second,
            judged_ms: next_ms,
            asked: 0,
            slowest_ms: None,
        }
    }

    fn has_waiting(&self) -> bool {
        !(self.waiting.is_empty() && self.lost.is_empty())
    }

    /// When the next turn comes.
    fn next(&self) -> Option<u64> {
        let asked_ms = (!self.waiting.is_empty()).then_some(self.next_ms);
        let joined_ms = (!self.lost.is_empty()).then_some(self.presence_ms);
        asked_ms.into_iter().chain(joined_ms).min()
    }

    fn take(&mut self, now: Now) -> Option<(BareJid, BareJid)> {
        if self.presence_ms <= now.monotonic_ms
            && let Some(lost) = self.lost.pop_front()
        {
            return Some(lost);
        }
        if self.next_ms > now.monotonic_ms {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Whether its pace still says something.
    fn is_busy(&self, now: Now) -> bool {
        let last_ms = self.next_ms.max(self.presence_ms);
        self.has_waiting() || now.monotonic_ms < last_ms + limit::SELF_PING_MS
    }

    fn note_turn(&mut self, now: Now, load: Load) {
        match load {
            Load::Nothing => {}
            Load::Ping => {
                self.judge(now);
                self.asked += 1;
                self.next_ms = now.monotonic_ms + SECOND_MS / self.per_second;
            }
            Load::Presence => {
                self.presence_ms = now.monotonic_ms + PRESENCE_PAUSE_MS;
                self.next_ms = self.next_ms.max(self.presence_ms);
            }
        }
    }

    /// Once a second: twice as fast if each answer came in a second, half as fast if one did not, or none came.
    fn judge(&mut self, now: Now) {
        if self.asked == 0 || now.monotonic_ms < self.judged_ms + SECOND_MS {
            self.judged_ms = if self.asked == 0 { now.monotonic_ms } else { self.judged_ms };
            return;
        }
        self.per_second = match self.slowest_ms {
            Some(slowest_ms) if slowest_ms <= SECOND_MS => (2 * self.per_second).min(limit::PINGS_PER_SECOND),
            Some(_) | None => (self.per_second / 2).max(1),
        };
        (self.judged_ms, self.asked, self.slowest_ms) = (now.monotonic_ms, 0, None);
    }
}

/// A number of that account in that room: the same each time, and not that of others.
pub(crate) fn spread(account: &BareJid, room: &BareJid) -> u64 {
    let mut hasher = FxHasher::default();
    (account, room).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: &str = "rooms.example";

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, utc_ms: 0 }
    }

    fn waiting(rooms: usize) -> Pace {
        let (alice, mut pace) = (BareJid::new("alice@example.org"), Pace::default());
        for number in 0..rooms {
            pace.wait(at(0), &alice, &BareJid::new(&format!("r{number}@{FAR}")));
        }
        pace
    }

    /// How many rooms are asked in each of so many seconds, if each answer takes so long.
    fn asked(pace: &mut Pace, seconds: u64, answer_ms: Option<u64>) -> Vec<usize> {
        let begin_ms = pace.next().unwrap();
        let mut counts = Vec::new();
        let mut answers = VecDeque::new();
        for second in 0..seconds {
            counts.push(0);
            for elapsed_ms in second * SECOND_MS..(second + 1) * SECOND_MS {
                let now = at(begin_ms + elapsed_ms);
                while answers.front().is_some_and(|due_ms| *due_ms <= now.monotonic_ms) {
                    answers.pop_front();
                    pace.note_answer(FAR, answer_ms.unwrap());
                }
                while let Some((_, room)) = pace.take(now) {
                    *counts.last_mut().unwrap() += 1;
                    answers.extend(answer_ms.map(|answer_ms| now.monotonic_ms + answer_ms));
                    pace.note_turn(now, room.domain(), Load::Ping);
                }
            }
        }
        counts
    }

    #[test]
    fn k8_pings_begin_at_ten_a_second_and_double_up_to_fifty() {
        let mut pace = waiting(1_000);
        assert_eq!(asked(&mut pace, 6, Some(100)), [10, 20, 40, 50, 50, 50]);
    }

    #[test]
    fn k8_slow_answers_or_none_halve_the_pace() {
        let mut pace = waiting(1_000);
        assert_eq!(asked(&mut pace, 4, Some(100)), [10, 20, 40, 50]);
        let slower = asked(&mut pace, 8, Some(1_500));
        assert!(slower.is_sorted_by(|before, after| before >= after) && slower[7] <= 2, "{slower:?}");
        assert_eq!(asked(&mut waiting(1_000), 6, None), [10, 5, 2, 1, 1, 1]);
    }

    #[test]
    fn k8_who_does_nothing_with_its_turn_takes_no_time() {
        let mut pace = waiting(1_000);
        let now = at(SECOND_MS);
        for _ in 0..1_000 {
            let (_, room) = pace.take(now).unwrap();
            pace.note_turn(now, room.domain(), Load::Nothing);
        }
        assert!(pace.next().is_none() && !pace.has_waiting(FAR));
    }

    #[test]
    fn k8_presences_are_twenty_a_second() {
        let mut pace = waiting(2);
        let first = at(pace.next().unwrap());
        let (_, room) = pace.take(first).unwrap();
        pace.note_turn(first, room.domain(), Load::Presence);
        assert_eq!(pace.next(), Some(first.monotonic_ms + 50));
    }

    #[test]
    fn k8_lost_rooms_are_joined_twenty_a_second_and_before_others_are_asked() {
        let (alice, mut pace) = (BareJid::new("alice@example.org"), waiting(3));
        let first = at(pace.next().unwrap());
        let rooms: Vec<_> = (0..41).map(|number| BareJid::new(&format!("lost{number}@{FAR}"))).collect();
        let at_once = rooms.iter().filter(|room| pace.may_join(first, &alice, room)).count();
        assert_eq!(at_once, 1);
        let mut joined = vec![first.monotonic_ms];
        for monotonic_ms in first.monotonic_ms..first.monotonic_ms + 3 * SECOND_MS {
            while let Some((_, room)) = pace.take(at(monotonic_ms)) {
                let is_lost = rooms.contains(&room);
                joined.extend(is_lost.then_some(monotonic_ms));
                pace.note_turn(at(monotonic_ms), FAR, if is_lost { Load::Presence } else { Load::Ping });
            }
        }
        assert_eq!(joined.len(), 41);
        assert!(joined.windows(2).all(|pair| pair[1] - pair[0] == 50), "{joined:?}");
        assert!(!pace.has_waiting(FAR));
    }

    #[test]
    fn k8_a_service_that_is_out_is_forgotten_and_others_wait_on() {
        let alice = BareJid::new("alice@example.org");
        let mut pace = waiting(10);
        pace.wait(at(0), &alice, &BareJid::new("lounge@far.example"));
        pace.forget(FAR);
        assert!(!pace.has_waiting(FAR) && pace.has_waiting("far.example"));
        assert_eq!(pace.take(at(SECOND_MS)).unwrap().1, BareJid::new("lounge@far.example"));
        assert_eq!(pace.take(at(SECOND_MS)), None);
    }

    #[test]
    fn r7_beyond_so_many_services_the_rest_share_a_pace() {
        let (alice, mut pace) = (BareJid::new("alice@example.org"), Pace::default());
        for number in 0..limit::PACED_SERVICES + 10 {
            pace.wait(at(0), &alice, &BareJid::new(&format!("r@s{number}.example")));
        }
        assert_eq!(pace.lanes.len(), limit::PACED_SERVICES + 1);
        assert_eq!(pace.lanes[SHARED].waiting.len(), 10);
        let last = format!("s{}.example", limit::PACED_SERVICES);
        pace.forget("s0.example");
        assert!(pace.has_waiting(&last) && pace.lane_of("new.example") == SHARED);
    }
}
