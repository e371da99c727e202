//! How much the process keeps of what rooms say, and how much of it is of each domain (R7).
//!
//! A stanza that is kept is paid for once, however many accounts keep it, and until the last of them lets it go. So the
//! figures are of the process, like the table of shared stanzas.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

/// How many domains have a tally before the idle ones are first swept.
const FIRST_SWEEP: usize = 64;

static ALL: AtomicUsize = AtomicUsize::new(0);
static DOMAINS: LazyLock<Mutex<Domains>> = LazyLock::new(Mutex::default);

/// About how many bytes the process keeps.
pub(crate) fn kept() -> usize {
    ALL.load(Relaxed)
}

/// About how many bytes the process keeps of what one domain says.
#[derive(Clone, Debug)]
pub(crate) struct Tally(Arc<AtomicUsize>);

#[derive(Default)]
struct Domains {
    tallies: HashMap<Box<str>, Weak<AtomicUsize>, FxBuildHasher>,
    sweep_at: usize,
    /// The one that was asked for last: stanzas of a room come one after the other.
    last: Option<(Box<str>, Tally)>,
}

impl Tally {
    /// The tally of a domain.
    pub(crate) fn of(domain: &str) -> Self {
        DOMAINS.lock().tally(domain)
    }

    /// What it says.
    pub(crate) fn kept(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Domains {
    fn tally(&mut self, domain: &str) -> Tally {
        if let Some((_, tally)) = self.last.as_ref().filter(|(last, _)| **last == *domain) {
            return tally.clone();
        }
        let known = self.tallies.get(domain).and_then(Weak::upgrade).map(Tally);
        let tally = known.unwrap_or_else(|| self.open(domain));
        self.last = Some((domain.into(), tally.clone()));
        tally
    }

    fn open(&mut self, domain: &str) -> Tally {
        if self.tallies.len() >= self.sweep_at.max(FIRST_SWEEP) {
            self.tallies.retain(|_, tally| tally.strong_count() > 0);
            self.sweep_at = self.tallies.len() * 2;
        }
        let tally = Tally(Arc::default());
        self.tallies.insert(domain.into(), Arc::downgrade(&tally.0));
        tally
    }
}

/// What something that is kept costs, as long as it is.
#[derive(Debug)]
pub(crate) struct Charge {
    tally: Tally,
    /// What the process pays, and of it the domain. Nothing is as large as 4 GiB.
    cost: u32,
    of_domain: u32,
}

impl Charge {
    /// Nothing is kept yet for which that domain pays.
    pub(crate) fn of(domain: &str) -> Self {
        Self { tally: Tally::of(domain), cost: 0, of_domain: 0 }
    }

    /// How much the process pays.
    pub(crate) fn cost(&self) -> usize {
        self.cost as usize
    }

    /// The tally of the domain that pays.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// So much is kept, and so much of it is of the domain.
    pub(crate) fn set(&mut self, cost: usize, of_domain: usize) {
        let (cost, of_domain) =
            (u32::try_from(cost).unwrap_or(u32::MAX), u32::try_from(of_domain).unwrap_or(u32::MAX));
        change(&ALL, self.cost, cost);
        change(&self.tally.0, self.of_domain, of_domain);
        (self.cost, self.of_domain) = (cost, of_domain);
    }
}

/// Nobody's, until it is known whose.
impl Default for Charge {
    fn default() -> Self {
        Self::of("")
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

fn change(tally: &AtomicUsize, before: u32, after: u32) {
    let more = (after as usize).wrapping_sub(before as usize); // less wraps, and so does the sum
    tally.fetch_add(more, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::cost::Cost;
    use crate::xmpp::stanza::{Kept, Stanza};

    fn message(domain: &str, body: &str) -> Stanza {
        let xml =
            format!("<message from='lounge@{domain}/bob' type='groupchat'><body>{body}</body></message>");
        Stanza::from_xml(&xml).unwrap()
    }

    #[test]
    fn r7_what_is_kept_is_paid_once_by_its_domain_and_until_the_last_lets_go() {
        let tally = Tally::of("once.example");
        let one = Kept::shared(message("once.example", "hello"));
        let cost = one.outside();
        assert_eq!((tally.kept(), cost > 100), (cost, true));
        let other = Kept::shared(message("once.example", "hello"));
        assert_eq!(tally.kept(), cost, "another account keeps the same");
        let second = Kept::shared(message("once.example", "bye"));
        assert_eq!(tally.kept(), cost + second.outside());
        drop((one, second));
        assert_eq!(tally.kept(), cost);
        drop(other);
        assert_eq!(tally.kept(), 0);
    }

    #[test]
    fn r7_what_is_only_passed_on_is_not_paid_for() {
        let tally = Tally::of("passed.example");
        let _passed = Kept::own(message("passed.example", "hello"));
        assert_eq!(tally.kept(), 0);
    }

    #[test]
    fn r7_what_waits_costs_more_and_less() {
        let mut charge = Charge::of("waits.example");
        charge.set(200, 100);
        assert_eq!((charge.cost(), Tally::of("waits.example").kept()), (200, 100));
        charge.set(30, 30);
        assert_eq!(Tally::of("waits.example").kept(), 30);
        drop(charge);
        assert_eq!(Tally::of("waits.example").kept(), 0);
    }

    #[test]
    fn domains_that_are_idle_are_forgotten() {
        let mut domains = Domains::default();
        for number in 0..10_000 {
            domains.tally(&format!("d{number}.example"));
        }
        assert!(domains.tallies.len() <= 2 * FIRST_SWEEP, "{}", domains.tallies.len());
    }
}
