//! The functions of a core, as a table: calling one costs less than calling a method of userdata.

use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{FromLuaMulti, IntoLuaMulti, Lua, LuaString, Result, Table};

use super::clock::now;
use super::host::Host;
use super::{options, stanzas};
use crate::bookmark::Bookmark;
use crate::bouncer::Bouncer;
use crate::event::{Event, InLog, SessionId};
use crate::push::Rule;
use crate::xmpp::jid::{BareJid, FullJid, Jid};

/// Opens a core: `open(options, seed, stanza_metatable, snapshot)`.
///
/// Gives the table of its functions, or nil and why the options or the snapshot can't be read.
pub(super) fn open(
    lua: &Lua,
    (options, seed, metatable, snapshot): (Table, LuaString, Table, Option<LuaString>),
) -> Result<(Option<Table>, Option<String>)> {
    let config = match options::config(&options) {
        Ok(config) => config,
        Err(error) => return Ok((None, Some(format!("bad option: {error}")))),
    };
    let Ok(seed) = <[u8; 32]>::try_from(&*seed.as_bytes()) else {
        return Ok((None, Some("a seed is 32 bytes".to_owned())));
    };
    let bouncer = match snapshot {
        None => Bouncer::new(config, seed),
        Some(snapshot) => match Bouncer::restore(config, seed, &snapshot.to_str()?) {
            Ok(bouncer) => bouncer,
            Err(why) => return Ok((None, Some(why))),
        },
    };
    let host = Rc::new(Host::new(lua, bouncer, metatable)?);
    Ok((Some(functions(lua, &host)?), None))
}

fn functions(lua: &Lua, host: &Rc<Host>) -> Result<Table> {
    let table = lua.create_table()?;
    stanzas::add_functions(lua, host, &table)?;
    session_functions(lua, host, &table)?;
    lifetime_functions(lua, host, &table)?;
    storage_functions(lua, host, &table)?;
    bookmark_functions(lua, host, &table)?;
    push_functions(lua, host, &table)?;
    log_functions(lua, host, &table)?;
    state_functions(lua, host, &table)?;
    Ok(table)
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
        takes_in(lua, host, table, name, move |session: u32| Ok(fact(SessionId(session))))?;
    }
    takes_in(lua, host, table, "already_in", |(session, jid, occupant): AlreadyIn| {
        let jid = FullJid::new(&Jid::new(&jid)).ok_or_else(|| mlua::Error::runtime("not a full JID"))?;
        Ok(Event::AlreadyIn { session: SessionId(session), jid, occupant: Jid::new(&occupant) })
    })
}

fn lifetime_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    takes_in(lua, host, table, "abandoned", |(account, room): (String, String)| {
        Ok(Event::Abandoned { account: BareJid::new(&account), room: BareJid::new(&room) })
    })?;
    takes_in(lua, host, table, "stream_begun", |domain: String| Ok(Event::StreamBegun { domain }))?;
    takes_in(lua, host, table, "stream_settled", |domain: String| Ok(Event::StreamSettled { domain }))?;
    takes_in(lua, host, table, "stream_established", |(domain, is_of_peer): (String, bool)| {
        Ok(Event::StreamEstablished { domain, is_of_peer })
    })?;
    takes_in(lua, host, table, "service_lost", |(domain, in_peace, is_incoming): (String, bool, bool)| {
        Ok(Event::ServiceLost { domain, in_peace, is_incoming })
    })?;
    takes_in(
        lua,
        host,
        table,
        "service_answered",
        |(domain, id, error): (String, String, Option<String>)| {
            Ok(Event::ServiceAnswered { domain, id, error })
        },
    )?;
    takes_in(lua, host, table, "blocks", |(account, blocked): (String, Vec<String>)| {
        let blocked = blocked.iter().map(|jid| Jid::new(jid)).collect();
        Ok(Event::BlockListChanged { account: BareJid::new(&account), blocked })
    })?;
    takes_in(lua, host, table, "avatar", |(account, hash): (String, String)| {
        Ok(Event::AvatarPublished { account: BareJid::new(&account), hash })
    })?;
    takes_in(lua, host, table, "account_gone", |account: String| {
        Ok(Event::AccountGone { account: BareJid::new(&account) })
    })?;
    takes_in(lua, host, table, "configured", |options: Table| {
        Ok(Event::Configured { config: options::config(&options)? })
    })?;
    takes_in(lua, host, table, "hand_back", |(): ()| Ok(Event::Unloading))?;
    takes_in(lua, host, table, "host_gone", |(): ()| Ok(Event::HostGone))?;
    takes_in(lua, host, table, "shutdown", |(): ()| Ok(Event::ServerStopping))?;
    add(lua, host, table, "has_more", |host, _, (): ()| Ok(host.bouncer.borrow().has_more()))?;
    add(lua, host, table, "wake", |host, _, (): ()| Ok(host.given(host.woken())))
}

fn storage_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type Loaded = (String, BTreeMap<String, String>, Vec<String>);
    takes_in(lua, host, table, "host_loaded", |text: String| Ok(Event::HostLoaded { text }))?;
    takes_in(lua, host, table, "loaded", |(account, records, blocked): Loaded| {
        let records = records.into_iter().map(|(room, text)| (BareJid::new(&room), text)).collect();
        let blocked = blocked.iter().map(|jid| Jid::new(jid)).collect();
        Ok(Event::Loaded { account: BareJid::new(&account), records, blocked })
    })?;
    add(lua, host, table, "host_record", |host, _, ()| Ok(host.bouncer.borrow().host_record(now())))
}

/// A bookmark is a table with `room`, `autojoin`, `nick` and `password`, as it says.
fn bookmark_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    takes_in(lua, host, table, "bookmark_changed", |(account, bookmark): (String, Table)| {
        let (room, bookmark) = read_bookmark(&bookmark)?;
        Ok(Event::BookmarkChanged { account: BareJid::new(&account), room, bookmark })
    })?;
    takes_in(lua, host, table, "bookmarks_purged", |account: String| {
        Ok(Event::BookmarksPurged { account: BareJid::new(&account) })
    })?;
    takes_in(lua, host, table, "logged_in", |(account, bookmarks): (String, Option<Vec<Table>>)| {
        let bookmarks = bookmarks.as_deref().map(read_bookmarks).transpose()?;
        Ok(Event::LoggedIn { account: BareJid::new(&account), bookmarks })
    })
}

/// A rule is told by its name, those of bookmarks by their rooms.
fn push_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    takes_in(lua, host, table, "pushed", |accounts: Vec<String>| {
        Ok(Event::Pushed { accounts: accounts.iter().map(|account| BareJid::new(account)).collect() })
    })?;
    takes_in(lua, host, table, "push_changed", |(account, is_pushed): (String, bool)| {
        Ok(Event::PushChanged { account: BareJid::new(&account), is_pushed })
    })?;
    takes_in(lua, host, table, "rules_read", |(account, rules): (String, BTreeMap<String, String>)| {
        let rules = rules.iter().filter_map(|(room, rule)| Some((BareJid::new(room), Rule::read(rule)?)));
        Ok(Event::RulesRead { account: BareJid::new(&account), rules: rules.collect() })
    })?;
    takes_in(lua, host, table, "displayed", |(account, room, stanza_id): (String, String, String)| {
        Ok(Event::Displayed { account: BareJid::new(&account), room: BareJid::new(&room), stanza_id })
    })
}

/// How the log of a room is read; its messages come one by one (`stanzas.rs`).
fn log_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type Order = (String, String, String);
    type Found = fn() -> InLog;
    let facts: [(&str, Found); 3] =
        [("log_pauses", || InLog::Pause), ("log_ends", || InLog::End), ("log_fails", || InLog::Unreadable)];
    for (name, found) in facts {
        takes_in(lua, host, table, name, move |(account, room, id): Order| {
            let (account, room) = (BareJid::new(&account), BareJid::new(&room));
            Ok(Event::LogRead { account, room, id, found: found() })
        })?;
    }
    takes_in(lua, host, table, "log_settled", |(room, id, known_as): Order| {
        Ok(Event::LogSettled { room: BareJid::new(&room), id, known_as })
    })?;
    add(lua, host, table, "reads_log", |host, _, (account, room, id): Order| {
        Ok(host.bouncer.borrow().reads_log(&account, &room, &id))
    })
}

fn read_bookmarks(bookmarks: &[Table]) -> Result<Vec<(BareJid, Bookmark)>> {
    let bookmarks: Vec<_> = bookmarks.iter().map(read_bookmark).collect::<Result<_>>()?;
    Ok(bookmarks.into_iter().filter_map(|(room, bookmark)| Some((room, bookmark?))).collect())
}

fn read_bookmark(bookmark: &Table) -> Result<(BareJid, Option<Bookmark>)> {
    let room: String = bookmark.raw_get("room")?;
    let text = |name: &str| bookmark.raw_get::<Option<String>>(name);
    let (autojoin, nick, password) = (text("autojoin")?, text("nick")?, text("password")?);
    let bookmark = Bookmark::read(autojoin.as_deref(), nick.as_deref(), password.as_deref());
    Ok((BareJid::new(&room), bookmark))
}

fn state_functions(lua: &Lua, host: &Rc<Host>, table: &Table) -> Result<()> {
    type Logged = (String, String, i64, Option<i64>);
    add(lua, host, table, "report", |host, lua, (): ()| host.fetch(lua))?;
    add(lua, host, table, "fallback_receivers", |host, _, (account, from): (String, String)| {
        let sessions = host.bouncer.borrow().fallback_receivers(&account, &from);
        Ok(sessions.into_iter().map(|session| session.0).collect::<Vec<_>>())
    })?;
    add(lua, host, table, "last_stand_in", |host, _, (account, from): (String, String)| {
        Ok(host.bouncer.borrow().last_stand_in(&account, &from))
    })?;
    add(lua, host, table, "logged_rooms", |host, lua, account: String| {
        let rooms = host.bouncer.borrow().logged_rooms(&account);
        let rooms = rooms.into_iter().map(|(room, first_ms, last_ms)| {
            let seen = lua.create_table()?;
            seen.raw_set("room", room)?;
            seen.raw_set("first_ms", first_ms)?;
            seen.raw_set("last_ms", last_ms)?;
            Ok(seen)
        });
        rooms.collect::<Result<Vec<Table>>>()
    })?;
    add(lua, host, table, "logged_intervals", |host, lua, (account, room): (String, String)| {
        let Some(intervals) = host.bouncer.borrow().logged_intervals(&account, &room) else {
            return Ok(None);
        };
        let intervals = intervals.into_iter().map(|(first_ms, last_ms)| {
            let interval = lua.create_table()?;
            interval.raw_set("first_ms", first_ms)?;
            interval.raw_set("last_ms", last_ms)?;
            Ok(interval)
        });
        intervals.collect::<Result<Vec<Table>>>().map(Some)
    })?;
    add(lua, host, table, "sees_logged", |host, _, (account, from, at_ms, said_ms): Logged| {
        Ok(host.bouncer.borrow().sees_logged(&account, &from, at_ms, said_ms))
    })?;
    add(lua, host, table, "blocking_accounts", |host, _, ()| Ok(host.bouncer.borrow().blocking_accounts()))?;
    add(lua, host, table, "rooms", |host, _, ()| Ok(host.bouncer.borrow().occupied_rooms()))?;
    add(lua, host, table, "snapshot", |host, _, ()| Ok(host.bouncer.borrow().snapshot()))?;
    add(lua, host, table, "close", |host, _, ()| {
        host.close();
        Ok(())
    })
}

/// Adds a function that tells the core what has happened.
fn takes_in<A: FromLuaMulti>(
    lua: &Lua,
    host: &Rc<Host>,
    table: &Table,
    name: &str,
    event: impl Fn(A) -> Result<Event> + 'static,
) -> Result<()> {
    add(lua, host, table, name, move |host, _, arguments: A| {
        let event = event(arguments)?;
        Ok(host.given(host.happened(event)))
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
    R: IntoLuaMulti,
{
    let host = Rc::clone(host);
    table.raw_set(name, lua.create_function(move |lua, arguments: A| call(&host, lua, arguments))?)
}
