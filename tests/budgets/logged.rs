//! What the core logs for the operator.

use std::sync::Mutex;

use log::{Log, Metadata, Record};

pub(crate) static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

pub(crate) struct Logger(Mutex<Vec<String>>);

/// All lines since the last call.
pub(crate) fn logged() -> Vec<String> {
    std::mem::take(&mut LOGGER.0.lock().unwrap())
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}
