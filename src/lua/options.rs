//! Options as the wrapper hands them over: what the operator did not set is absent, times are in seconds.

use mlua::{Result, Table, Value};

use crate::config::{Archive, Config};

/// The configuration that these options make.
pub(super) fn config(options: &Table) -> Result<Config> {
    let mut config = Config::default();
    let counts = [
        ("history", &mut config.history),
        ("history_max", &mut config.history_max),
        ("history_default", &mut config.history_default),
        ("history_bytes", &mut config.history_bytes),
        ("rooms_per_account", &mut config.rooms_per_account),
        ("room_memory", &mut config.room_memory),
        ("account_memory", &mut config.account_memory),
        ("domain_memory", &mut config.domain_memory),
        ("memory", &mut config.memory),
    ];
    for (name, count) in counts {
        set(options, name, count)?;
    }
    let periods = [
        ("history_age", &mut config.history_age_ms),
        ("trust", &mut config.trust_ms),
        ("away_delay", &mut config.away_delay_ms),
    ];
    for (name, period) in periods {
        if let Some(seconds) = options.raw_get(name)? {
            *period = milliseconds(seconds).unwrap_or(u64::MAX);
        }
    }
    let endless = [
        ("linger", &mut config.linger_ms),
        ("linger_affiliated", &mut config.linger_affiliated_ms),
        ("check", &mut config.check_ms),
        ("dormant", &mut config.dormant_ms),
        ("archive_expires", &mut config.archive_expires_ms),
    ];
    for (name, period) in endless {
        if let Some(seconds) = options.raw_get(name)? {
            *period = milliseconds(seconds);
        }
    }
    set(options, "autojoin", &mut config.autojoin)?;
    set(options, "store_passwords", &mut config.store_passwords)?;
    if let Some(name) = options.raw_get::<Option<String>>("archive")? {
        config.archive = Archive::named(&name).unwrap_or_default();
    }
    set(options, "exclude", &mut config.exclude)?;
    Ok(config)
}

fn set<T: mlua::FromLua>(options: &Table, name: &str, field: &mut T) -> Result<()> {
    if options.raw_get::<Value>(name)? != Value::Nil {
        *field = options.raw_get(name)?;
    }
    Ok(())
}

/// Seconds in milliseconds; nothing if they never end.
fn milliseconds(seconds: f64) -> Option<u64> {
    seconds.is_finite().then(|| super::clock::milliseconds(seconds))
}
