//! A core, and what its calls share.

use std::cell::{Cell, RefCell};

use mlua::{Lua, Result, Table, Value};

use super::answer::{Answer, Report};
use super::build::Builder;
use super::clock::{now, seconds};
use super::log;
use super::read::Unreadable;
use crate::bouncer::Bouncer;
use crate::config::Config;
use crate::event::{Event, Outcome};
use crate::xmpp::stanza::Kept;

/// The core of one `VirtualHost`.
pub(super) struct Host {
    pub(super) bouncer: RefCell<Bouncer>,
    builder: Builder,
    /// The rest of the last answer, until it is fetched.
    report: RefCell<Option<Report>>,
    /// When the wrapper's timer will call `wake`.
    armed_ms: Cell<Option<u64>>,
}

impl Host {
    /// A core to be spoken to; the metatable is that of Prosody's stanzas.
    pub(super) fn new(lua: &Lua, bouncer: Bouncer, metatable: Table) -> Result<Self> {
        Ok(Self {
            bouncer: RefCell::new(bouncer),
            builder: Builder::new(lua, metatable)?,
            report: RefCell::new(None),
            armed_ms: Cell::new(None),
        })
    }

    /// Keeps a report until it is fetched.
    pub(super) fn keep(&self, report: Report) {
        self.report.replace(Some(report));
    }

    /// The report that was kept.
    pub(super) fn fetch(&self, lua: &Lua) -> Result<Option<Value>> {
        self.report.take().map(|report| report.value(lua, &self.builder)).transpose()
    }

    /// The wrapper's timer has come.
    pub(super) fn woken(&self) -> Answer {
        self.armed_ms.set(None);
        self.happened(Event::DeadlineReached)
    }

    /// Forgets everything: Lua does not see how much the core holds and may keep the functions for long.
    pub(super) fn close(&self) {
        *self.bouncer.borrow_mut() = Bouncer::new(Config::default(), 0);
        Kept::sweep_shared();
    }

    /// Takes in what happened and says what follows from it.
    pub(super) fn happened(&self, event: Event) -> Answer {
        let outcome = self.bouncer.borrow_mut().handle(now(), event);
        self.answer(outcome)
    }

    /// Has the core decide about a stanza that it reads if it is ours; nothing if it is not.
    pub(super) fn decides(
        &self,
        decide: impl FnOnce(&mut Bouncer) -> Option<std::result::Result<Outcome, Unreadable>>,
    ) -> Option<Answer> {
        let decided = decide(&mut self.bouncer.borrow_mut())?;
        Some(match decided {
            Ok(outcome) => self.answer(outcome),
            Err(why) => Answer::Report(Report::Unreadable(why)),
        })
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        let wake_in = self.sooner(outcome.wake_at);
        Answer::new(outcome, wake_in, log::drain())
    }

    /// What Lua is given of an answer; it fetches a report.
    pub(super) fn given(&self, answer: Answer) -> Option<bool> {
        match answer {
            Answer::NotOurs => None,
            Answer::Handled => Some(true),
            Answer::Report(report) => {
                self.keep(report);
                Some(false)
            }
        }
    }

    /// In how many seconds the core wants to be woken, if the wrapper's timer would come later. Waking early
    /// costs one call. Arming the timer with every stanza would cost more.
    fn sooner(&self, wake_at: Option<u64>) -> Option<f64> {
        let wake_at = wake_at.filter(|wanted| self.armed_ms.get().is_none_or(|armed| *wanted < armed))?;
        self.armed_ms.set(Some(wake_at));
        Some(seconds(wake_at.saturating_sub(now().monotonic_ms)))
    }
}
