//! One core per `VirtualHost`, as a table of functions: calling one costs less than calling a method of userdata.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{FromLuaMulti, Lua, Result, Table};

use super::answer::Answer;
use super::build::Builder;
use super::clock::{now, seconds};
use super::read::Reader;
use super::{log, options};
use crate::bouncer::Bouncer;
use crate::config::Config;
use crate::event::{Event, Now, SessionId};
use crate::jid::{BareJid, FullJid, Jid};
use crate::stanza::Stanza;

/// A core and what it takes to speak to it.
struct Host {
    bouncer: RefCell<Bouncer>,
    reader: Reader,
    builder: Builder,
    /// When the wrapper's timer will call `wake`.
    armed_ms: Cell<Option<u64>>,
}

/// Opens a core: `open(options, seed, stanza_metatable, snapshot)`.
///
/// Gives the table of its functions, or nil and why the options or the snapshot can't be read.
pub(super) fn open(
    lua: &Lua,
    (options, seed, metatable, snapshot): (Table, i64, Table, Option<String>),
) -> Result<(Option<Table>, Option<String>)> {
    let config = match options::config(&options) {
        Ok(config) => config,
        Err(error) => return Ok((None, Some(format!("bad option: {error}")))),
    };
    let seed = seed.cast_unsigned();
    let bouncer = match snapshot {
        None => Bouncer::new(config, seed),
        Some(snapshot) => match Bouncer::restore(config, seed, &snapshot) {
            Ok(bouncer) => bouncer,
            Err(why) => return Ok((None, Some(why))),
        },
    };
    let host = Host {
        bouncer: RefCell::new(bouncer),
        reader: Reader::new(lua)?,
        builder: Builder::new(lua, metatable)?,
        armed_ms: Cell::new(None),
    };
    Ok((Some(functions(lua, &Rc::new(host))?), None))
}

fn functions(lua: &Lua, host: &Rc<Host>) -> Result<Table> {
    let table = lua.create_table()?;
    stanza_functions(lua, host, &table)?;
    session_functions(lua, host, &table)?;
    lifetime_functions(lua, host, &table)?;
    Ok(table)
}

fn stanza_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type Client = (u32, String, String, bool, Table);
    type Room = (String, String, Table);
    type Failed = (Option<u32>, String, String, String, Option<Table>);
    add(lua, host, table, "client_stanza", |host, lua, (session, account, to, joins, stanza): Client| {
        host.client_stanza(lua, SessionId(session), [&account, &to], joins, &stanza)
    })?;
    add(lua, host, table, "room_stanza", |host, lua, (account, from, stanza): Room| {
        host.room_stanza(lua, [&account, &from], &stanza)
    })?;
    add(lua, host, table, "stanza_to_session", |host, lua, (account, from, stanza): Room| {
        if !host.bouncer.borrow().concerns_session(&account, &from) {
            return Ok(Answer::NotOurs);
        }
        host.read_room_stanza(lua, &stanza)
    })?;
    add(lua, host, table, "archive_result", |host, lua, (account, from, stanza): Room| {
        if !host.bouncer.borrow().awaits_archive_results(&account, &from) {
            return Ok(Answer::NotOurs);
        }
        host.take_early(lua, &stanza, Bouncer::is_archive_result)
    })?;
    add(lua, host, table, "blocked_stanza", |host, lua, (account, from, stanza): Room| {
        if !host.bouncer.borrow().blocks(&account, &from) {
            return Ok(Answer::NotOurs);
        }
        host.read_room_stanza(lua, &stanza)
    })?;
    add(lua, host, table, "blocked_invitation", |host, lua, (account, from, stanza): Room| {
        if !host.bouncer.borrow().occupies(&account, &from) {
            return Ok(Answer::NotOurs);
        }
        host.take_early(lua, &stanza, Bouncer::is_blocked_invitation)
    })?;
    add(lua, host, table, "delivery_failed", |host, lua, (session, account, to, from, stanza): Failed| {
        if !host.bouncer.borrow().concerns_account(&account, &from) {
            return Ok(Answer::NotOurs);
        }
        let (session, to, from) = (session.map(SessionId), Jid::new(&to), Jid::new(&from));
        let stanza = stanza.and_then(|stanza| host.reader.stanza(lua, &stanza).ok());
        host.happened(lua, Event::DeliveryFailed { session, to, from, stanza })
    })?;
    add(lua, host, table, "occupies", |host, _, (account, room): (String, String)| {
        Ok(host.bouncer.borrow().occupies(&account, &room))
    })?;
    add(lua, host, table, "copy", |host, lua, stanza: Table| host.copy(lua, &stanza))
}

fn session_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type AlreadyIn = (u32, String, String);
    type Fact = fn(SessionId) -> Event;
    let facts: [(&str, Fact); 4] = [
        ("session_unavailable", |session| Event::SessionUnavailable { session }),
        ("session_hibernated", |session| Event::Hibernated { session }),
        ("session_resumed", |session| Event::Resumed { session }),
        ("session_gone", |session| Event::SessionGone { session }),
    ];
    for (name, fact) in facts {
        add(lua, host, table, name, move |host, lua, session: u32| {
            host.happened(lua, fact(SessionId(session)))
        })?;
    }
    add(lua, host, table, "already_in", |host, lua, (session, jid, occupant): AlreadyIn| {
        let Some(jid) = FullJid::new(&Jid::new(&jid)) else { return Ok(Answer::NotOurs) };
        let (session, occupant) = (SessionId(session), Jid::new(&occupant));
        host.happened(lua, Event::AlreadyIn { session, jid, occupant })
    })
}

fn lifetime_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type Watches = (u32, String, bool);
    add(lua, host, table, "abandoned", |host, lua, (account, room): (String, String)| {
        let (account, room) = (BareJid::new(&account), BareJid::new(&room));
        host.happened(lua, Event::Abandoned { account, room })
    })?;
    add(lua, host, table, "wake", |host, lua, (): ()| {
        host.armed_ms.set(None);
        host.happened(lua, Event::Wake)
    })?;
    add(lua, host, table, "watches", |host, lua, (session, service, watches): Watches| {
        let (session, service) = (SessionId(session), BareJid::new(&service));
        host.happened(lua, Event::Watches { session, service, watches })
    })?;
    add(lua, host, table, "blocks", |host, lua, (account, blocked): (String, Vec<String>)| {
        let (account, blocked) = (BareJid::new(&account), blocked.iter().map(|jid| Jid::new(jid)).collect());
        host.happened(lua, Event::Blocks { account, blocked })
    })?;
    add(lua, host, table, "avatar", |host, lua, (account, hash): (String, String)| {
        host.happened(lua, Event::Avatar { account: BareJid::new(&account), hash })
    })?;
    add(lua, host, table, "account_gone", |host, lua, account: String| {
        host.happened(lua, Event::AccountGone { account: BareJid::new(&account) })
    })?;
    add(lua, host, table, "hand_back", |host, lua, (): ()| host.happened(lua, Event::HandBack))?;
    add(lua, host, table, "configured", |host, lua, options: Table| {
        let config = options::config(&options)?;
        host.happened(lua, Event::Configured { config })
    })?;
    add(lua, host, table, "blocking_accounts", |host, _, ()| Ok(host.bouncer.borrow().blocking_accounts()))?;
    add(lua, host, table, "rooms", |host, _, ()| Ok(host.bouncer.borrow().held_rooms()))?;
    add(lua, host, table, "shutdown", |host, lua, (): ()| host.happened(lua, Event::Shutdown))?;
    add(lua, host, table, "snapshot", |host, _, ()| Ok(host.bouncer.borrow().snapshot()))?;
    // Lua does not see how much the core holds and may keep the functions for long.
    add(lua, host, table, "close", |host, _, ()| {
        *host.bouncer.borrow_mut() = Bouncer::new(Config::default(), 0);
        Ok(())
    })
}

fn add<A, R>(
    lua: &Lua,
    host: &Rc<Host>,
    table: &Table,
    name: &str,
    call: impl Fn(&Host, &Lua, A) -> Result<R> + 'static,
) -> Result<()>
where
    A: FromLuaMulti,
    R: mlua::IntoLuaMulti,
{
    let host = Rc::clone(host);
    table.raw_set(name, lua.create_function(move |lua, arguments: A| call(&host, lua, arguments))?)
}

impl Host {
    fn client_stanza(
        &self,
        lua: &Lua,
        session: SessionId,
        [account, to]: [&str; 2],
        joins: bool,
        stanza: &Table,
    ) -> Result<Answer> {
        if !self.bouncer.borrow().concerns_client(account, to, joins) {
            return Ok(Answer::NotOurs);
        }
        match self.reader.stanza(lua, stanza) {
            Ok(stanza) => self.happened(lua, Event::ClientStanza { session, stanza }),
            Err(why) => Ok(Answer::Unreadable(why.to_string())),
        }
    }

    fn room_stanza(&self, lua: &Lua, [account, from]: [&str; 2], stanza: &Table) -> Result<Answer> {
        if !self.bouncer.borrow().concerns_account(account, from) {
            return Ok(Answer::NotOurs);
        }
        self.read_room_stanza(lua, stanza)
    }

    /// A message of a room that nobody else may see; other messages are looked at later.
    fn take_early(
        &self,
        lua: &Lua,
        stanza: &Table,
        is_wanted: fn(&Bouncer, &Stanza) -> bool,
    ) -> Result<Answer> {
        match self.reader.stanza(lua, stanza) {
            Ok(stanza) if is_wanted(&self.bouncer.borrow(), &stanza) => {
                self.happened(lua, Event::RoomStanza { stanza })
            }
            Ok(_) | Err(_) => Ok(Answer::NotOurs),
        }
    }

    fn read_room_stanza(&self, lua: &Lua, stanza: &Table) -> Result<Answer> {
        match self.reader.stanza(lua, stanza) {
            Ok(stanza) => self.happened(lua, Event::RoomStanza { stanza }),
            Err(why) => Ok(Answer::Unreadable(why.to_string())),
        }
    }

    fn happened(&self, lua: &Lua, event: Event) -> Result<Answer> {
        let now = now();
        let outcome = self.bouncer.borrow_mut().handle(now, event);
        let wake_in = self.sooner(now, outcome.wake_at);
        Answer::new(lua, &self.builder, outcome, wake_in, &log::drain())
    }

    /// In how many seconds the core wants to be woken, if that is sooner than the wrapper's timer will do it.
    /// Being woken too early costs one call; arming the timer with every stanza would cost more.
    fn sooner(&self, now: Now, wake_at: Option<u64>) -> Option<f64> {
        let wake_at = wake_at.filter(|wanted| self.armed_ms.get().is_none_or(|armed| *wanted < armed))?;
        self.armed_ms.set(Some(wake_at));
        Some(seconds(wake_at.saturating_sub(now.monotonic_ms)))
    }

    /// A stanza as it comes out of the core: what is delivered of one that was kept.
    fn copy(&self, lua: &Lua, stanza: &Table) -> Result<(Option<Table>, Option<String>)> {
        match self.reader.stanza(lua, stanza) {
            Ok(stanza) => Ok((Some(self.builder.stanza(lua, &stanza)?), None)),
            Err(why) => Ok((None, Some(why.to_string()))),
        }
    }
}
