//! What a call gives back to Lua.
//!
//! | first value | means |
//! |---|---|
//! | nothing | not ours, or passed without anything to do |
//! | `true` | handled, nothing to do |
//! | an integer | handled; relay the stanza in hand to this session and to those in the further values |
//! | a table | `handled`, `actions`, `wake_in` (seconds), `log` (level, text, level, text ...); absent if empty |
//! | a string | the stanza can't be read; nothing has changed |
//!
//! All but the table cost Lua no memory.

use mlua::{IntoLuaMulti, Lua, MultiValue, Result, Table, Value};

use super::build::Builder;
use super::log::Entry;
use crate::event::{Action, Id, Outcome, SessionId, Verdict};

/// To how many sessions a relay is said by numbers.
const MAX_NUMBERS: usize = 32;

/// What a call gives back.
pub(super) enum Answer {
    /// Not ours.
    NotOurs,
    /// Handled without anything to do.
    Handled,
    /// Handled; relay as it is to these.
    Relay(Vec<(SessionId, Id)>),
    /// Everything else.
    Report(Table),
    /// What Lua handed in can't be read.
    Unreadable(String),
}

impl IntoLuaMulti for Answer {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        Ok(match self {
            Self::NotOurs => MultiValue::new(),
            Self::Handled => MultiValue::from_iter([Value::Boolean(true)]),
            Self::Relay(sessions) => {
                sessions.into_iter().map(|(session, _)| Value::Integer(session.0.into())).collect()
            }
            Self::Report(report) => MultiValue::from_iter([Value::Table(report)]),
            Self::Unreadable(why) => MultiValue::from_iter([Value::String(lua.create_string(why)?)]),
        })
    }
}

impl Answer {
    /// Gives back an outcome, the cheapest way that says all of it.
    pub(super) fn new(
        lua: &Lua,
        builder: &Builder,
        mut outcome: Outcome,
        wake_in: Option<f64>,
        log: &[Entry],
    ) -> Result<Self> {
        let handled = outcome.verdict == Verdict::Handled;
        if wake_in.is_none() && log.is_empty() {
            match outcome.actions.as_mut_slice() {
                [] if handled => return Ok(Self::Handled),
                [] => return Ok(Self::NotOurs),
                [Action::Relay { sessions }] if handled && all_kept(sessions) => {
                    return Ok(Self::Relay(std::mem::take(sessions)));
                }
                _ => {}
            }
        }
        let report = lua.create_table_with_capacity(0, 4)?;
        report.raw_set("handled", handled)?;
        report.raw_set("wake_in", wake_in)?;
        if !log.is_empty() {
            report.raw_set("log", records(lua, log)?)?;
        }
        if !outcome.actions.is_empty() {
            let actions = lua.create_table_with_capacity(outcome.actions.len(), 0)?;
            for (position, action) in outcome.actions.iter().enumerate() {
                actions.raw_set(position + 1, order(lua, builder, action)?)?;
            }
            report.raw_set("actions", actions)?;
        }
        Ok(Self::Report(report))
    }
}

/// Whether that relay can be said by numbers alone. Lua takes them off one by one, which costs the square of
/// their count.
fn all_kept(sessions: &[(SessionId, Id)]) -> bool {
    (1..=MAX_NUMBERS).contains(&sessions.len()) && sessions.iter().all(|(_, id)| *id == Id::Keep)
}

fn records(lua: &Lua, log: &[Entry]) -> Result<Table> {
    lua.create_sequence_from(log.iter().flat_map(|(level, text)| [*level, text]))
}

/// An action as a table: `kind` and what belongs to it.
fn order(lua: &Lua, builder: &Builder, action: &Action) -> Result<Table> {
    let order = lua.create_table_with_capacity(0, 4)?;
    order.raw_set("kind", kind(action))?;
    match action {
        Action::Relay { sessions } => {
            order.raw_set("sessions", lua.create_sequence_from(sessions.iter().map(|(id, _)| id.0))?)?;
            let ids = lua.create_table_with_capacity(sessions.len(), 0)?;
            for (position, (_, id)) in sessions.iter().enumerate() {
                ids.raw_set(position + 1, value_of(lua, id)?)?;
            }
            order.raw_set("ids", ids)?;
        }
        Action::Deliver { session, stanza } => {
            order.raw_set("session", session.0)?;
            order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
        }
        Action::Forward { id } => order.raw_set("id", value_of(lua, id)?)?,
        Action::Reply { error, by } => {
            order.raw_set("type", error.error_type)?;
            order.raw_set("condition", error.condition)?;
            order.raw_set("text", error.text)?;
            order.raw_set("by", by.as_str())?;
        }
        Action::Send { stanza } => order.raw_set("stanza", builder.stanza(lua, stanza)?)?,
        Action::SendAs { session, stanza } => {
            order.raw_set("from", session.as_str())?;
            order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
        }
        Action::Drop { account, room } => {
            order.raw_set("account", account.as_str())?;
            order.raw_set("room", room.as_str())?;
        }
        Action::Mirror { sessions, stanza } => {
            if let Some(stanza) = stanza {
                order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
            }
            order.raw_set("sessions", lua.create_sequence_from(sessions.iter().map(|id| id.0))?)?;
        }
        Action::StoreOffline => {}
    }
    Ok(order)
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Relay { .. } => "relay",
        Action::Deliver { .. } => "deliver",
        Action::Forward { .. } => "forward",
        Action::Reply { .. } => "reply",
        Action::Send { .. } => "send",
        Action::SendAs { .. } => "send_as",
        Action::Drop { .. } => "drop",
        Action::Mirror { .. } => "mirror",
        Action::StoreOffline => "store_offline",
    }
}

/// An id: `true` keeps it, `false` removes it, a string sets it.
fn value_of(lua: &Lua, id: &Id) -> Result<Value> {
    Ok(match id {
        Id::Keep => Value::Boolean(true),
        Id::Remove => Value::Boolean(false),
        Id::Set(id) => Value::String(lua.create_string(&**id)?),
    })
}
