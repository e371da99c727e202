//! Collects what the core logs during a call; the wrapper writes it with `module:log`.

use std::collections::VecDeque;
use std::panic::PanicHookInfo;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

/// How many records of one call are kept; the oldest go first.
const MAX_RECORDS: usize = 256;
/// Whose records are collected: those of the core, by the name of its crate.
const CORE: &str = env!("CARGO_CRATE_NAME");

static COLLECTOR: Collector = Collector(Mutex::new(VecDeque::new()));
static INSTALLED: Once = Once::new();

/// One thing that was logged: the level as Prosody calls it, and the text.
pub(super) type Entry = (&'static str, String);

struct Collector(Mutex<VecDeque<Entry>>);

impl Log for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(CORE)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.push(level_name(record.level()), record.args().to_string());
        }
    }

    fn flush(&self) {}
}

impl Collector {
    fn push(&self, level: &'static str, text: String) {
        let mut entries = self.0.lock();
        if entries.len() >= MAX_RECORDS {
            entries.pop_front();
        }
        entries.push_back((level, text));
    }
}

/// Prosody has no level below debug.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

/// Starts collecting, for the whole process and once.
pub(super) fn install() {
    INSTALLED.call_once(|| {
        if log::set_logger(&COLLECTOR).is_ok() {
            log::set_max_level(LevelFilter::Debug);
        }
        if cfg!(feature = "module") {
            std::panic::set_hook(Box::new(report_panic));
        }
    });
}

/// Takes what was collected.
pub(super) fn drain() -> Vec<Entry> {
    COLLECTOR.0.lock().drain(..).collect()
}

/// Says where the core panicked and, if the message is a constant, why: a formatted one may quote a stanza.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "unknown place".to_owned(), ToString::to_string);
    let why = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("see that line");
    COLLECTOR.push("error", format!("the core panicked at {place}: {why}"));
}
