//! What a call gives back to Lua.
//!
//! | value | means |
//! |---|---|
//! | nothing | not ours, or passed without anything to do |
//! | `true` | handled, nothing to do |
//! | a number | handled; relay the stanza in hand to so many sessions, which are in the table that Lua lent for that |
//! | `false` | `report()` has the rest; it has nothing if the core panicked |
//!
//! A report is a table of `handled`, `actions`, `wake_in` (seconds), `log` (level, text, level, text ...), what is
//! empty left out; or a string: the stanza can't be read, and nothing has changed. Only reports cost Lua memory.

use std::os::raw::c_int;

use mlua::{IntoLua, Lua, Result, Table, Value};

use super::build::Builder;
use super::log::Entry;
use super::raw::Frame;
use super::read::Unreadable;
use crate::event::{Action, Id, Outcome, SessionId, Verdict};
use crate::xmpp::jid::BareJid;
use crate::xmpp::kinds::{is_own_presence, is_reply};
use crate::xmpp::muc::{MucUser, status};
use crate::xmpp::stanza::{Kind, PresenceType, Stanza};

/// What a call gives back.
#[derive(Debug)]
pub(super) enum Answer {
    /// Not ours.
    NotOurs,
    /// Handled without anything to do.
    Handled,
    /// Everything else.
    Report(Report),
}

/// An answer that takes a table or a text.
#[derive(Debug)]
pub(super) enum Report {
    /// What the core has decided.
    Decided { outcome: Outcome, wake_in: Option<f64>, log: Vec<Entry> },
    /// What Lua handed in can't be read.
    Unreadable(Unreadable),
}

impl Answer {
    /// The shortest answer that tells all of an outcome.
    pub(super) fn new(outcome: Outcome, wake_in: Option<f64>, log: Vec<Entry>) -> Self {
        if !outcome.actions.is_empty() || wake_in.is_some() || !log.is_empty() {
            return Self::Report(Report::Decided { outcome, wake_in, log });
        }
        match outcome.verdict {
            Verdict::Handled => Self::Handled,
            Verdict::Pass(_) => Self::NotOurs,
        }
    }

    /// Gives it back the cheapest way; what is left is a report that Lua has to fetch. The receivers of a relay go
    /// into the table at that position of the arguments, if one is there.
    pub(super) fn give(self, frame: &mut Frame<'_>, receivers: c_int) -> Option<Report> {
        let report = match self {
            Self::NotOurs => return None,
            Self::Handled => {
                frame.give_flag(true);
                return None;
            }
            Self::Report(report) => report,
        };
        if let Some(sessions) = report.plain_relay()
            && frame.give_numbers(receivers, sessions.iter().map(|(session, _)| session.0))
        {
            return None;
        }
        frame.give_flag(false);
        Some(report)
    }
}

impl Report {
    /// To whom the stanza in hand is to be relayed as it is, if that is all.
    fn plain_relay(&self) -> Option<&[(SessionId, Id)]> {
        let Self::Decided { outcome, wake_in: None, log } = self else { return None };
        let [Action::Relay { sessions }] = outcome.actions.as_slice() else { return None };
        let all_kept = sessions.iter().all(|(_, id)| *id == Id::Keep);
        (outcome.verdict == Verdict::Handled && log.is_empty() && all_kept).then_some(sessions)
    }

    /// The report as a value of Lua.
    pub(super) fn value(&self, lua: &Lua, builder: &Builder) -> Result<Value> {
        match self {
            Self::Decided { outcome, wake_in, log } => {
                decided(lua, builder, outcome, *wake_in, log).map(Value::Table)
            }
            Self::Unreadable(why) => why.to_string().into_lua(lua),
        }
    }
}

fn decided(
    lua: &Lua,
    builder: &Builder,
    outcome: &Outcome,
    wake_in: Option<f64>,
    log: &[Entry],
) -> Result<Table> {
    let report = lua.create_table_with_capacity(0, 4)?;
    report.raw_set("handled", outcome.verdict == Verdict::Handled)?;
    report.raw_set("wake_in", wake_in)?;
    if !log.is_empty() {
        report.raw_set("log", log_entries(lua, log)?)?;
    }
    if !outcome.actions.is_empty() {
        let actions = lua.create_table_with_capacity(outcome.actions.len(), 0)?;
        for (position, action) in outcome.actions.iter().enumerate() {
            actions.raw_set(position + 1, order(lua, builder, action)?)?;
        }
        report.raw_set("actions", actions)?;
    }
    Ok(report)
}

/// The text of each room, by its address; `false` where it goes.
fn records(lua: &Lua, rooms: &[(BareJid, Option<String>)]) -> Result<Table> {
    let records = lua.create_table_with_capacity(0, rooms.len())?;
    for (room, text) in rooms {
        let text = match text {
            Some(text) => Value::String(lua.create_string(text)?),
            None => Value::Boolean(false),
        };
        records.raw_set(room.as_str(), text)?;
    }
    Ok(records)
}

fn log_entries(lua: &Lua, log: &[Entry]) -> Result<Table> {
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
            if is_reply(stanza.kind) || is_own_presence(stanza) {
                order.raw_set("shown", true)?;
                order.raw_set("insists", is_technical_removal(stanza))?;
            }
        }
        Action::Forward { id } => order.raw_set("id", value_of(lua, id)?)?,
        Action::Reply { error, by } => {
            let by = by.as_str();
            set_texts(&order, &[("type", error.error_type), ("condition", error.condition), ("by", by)])?;
            order.raw_set("text", error.text)?;
        }
        Action::Send { stanza } => order.raw_set("stanza", builder.stanza(lua, stanza)?)?,
        Action::SendAs { session, stanza } => {
            order.raw_set("from", session.as_str())?;
            order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
        }
        Action::Drop { account, room } => {
            set_texts(&order, &[("account", account.as_str()), ("room", room.as_str())])?;
        }
        Action::Mirror { sessions, stanza } => {
            if let Some(stanza) = stanza {
                order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
            }
            order.raw_set("sessions", lua.create_sequence_from(sessions.iter().map(|id| id.0))?)?;
        }
        Action::StoreOffline { stanza: Some(stanza) } | Action::Notify { stanza: Some(stanza) } => {
            order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
        }
        Action::StoreOffline { stanza: None } | Action::Notify { stanza: None } => {}
        Action::Log { room, id, print, at_ms, said_ms, stanza } => {
            order.raw_set("stanza", builder.stanza(lua, stanza)?)?;
            set_log_entry(&order, room, id, *print, [Some(*at_ms), *said_ms])?;
        }
        Action::ReadLog { account, room, id, since_ms } => {
            set_texts(&order, &[("account", account.as_str()), ("room", room.as_str()), ("id", id)])?;
            order.raw_set("since_ms", *since_ms)?;
        }
        Action::AskService { domain, id } => set_texts(&order, &[("domain", domain), ("id", id)])?,
        Action::Store { account, rooms, at_once } => {
            order.raw_set("account", account.as_str())?;
            order.raw_set("at_once", *at_once)?;
            order.raw_set("rooms", records(lua, rooms)?)?;
        }
    }
    Ok(order)
}

fn set_texts(order: &Table, texts: &[(&str, &str)]) -> Result<()> {
    texts.iter().try_for_each(|(name, text)| order.raw_set(*name, *text))
}

/// Which log a message goes into, under which id, by what it is known, when it was received, and said.
fn set_log_entry(order: &Table, room: &BareJid, id: &str, print: u64, times: [Option<i64>; 2]) -> Result<()> {
    let [at_ms, said_ms] = times;
    order.raw_set("room", room.as_str())?;
    order.raw_set("id", id)?;
    order.raw_set("print", format!("{print:016x}"))?;
    order.raw_set("at_ms", at_ms)?;
    order.raw_set("said_ms", said_ms)
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
        Action::StoreOffline { .. } => "store_offline",
        Action::AskService { .. } => "ask_service",
        Action::Store { .. } => "store",
        Action::Notify { .. } => "notify",
        Action::Log { .. } => "log",
        Action::ReadLog { .. } => "read_log",
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

/// Whether a presence tells a session that the account is out for a technical reason (333). We make it.
fn is_technical_removal(stanza: &Stanza) -> bool {
    stanza.kind == Kind::Presence(PresenceType::Unavailable) && MucUser::read(stanza).has(status::TECHNICAL)
}
