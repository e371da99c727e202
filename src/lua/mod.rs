//! The binding: the only Rust that names mlua.
//!
//! Lua hands in strings and stanza tables, and gets orders back. Nothing here calls Lua back, so the core is
//! never borrowed while an action is performed, and no call runs inside another. A call with a stanza raises
//! no error: a fault of the stanza comes back in a report, and a panic as a missing report. Another call
//! raises an error if the core panics or an argument makes no sense.

mod answer;
mod build;
mod clock;
mod functions;
mod host;
mod log;
mod options;
mod raw;
mod read;
mod stanzas;

use mlua::{Lua, Result, Table};

/// The version of the core, which the wrapper compares with its own.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The Lua for which the core was built.
const LUA: &str = if cfg!(feature = "lua52") {
    "5.2"
} else if cfg!(feature = "lua53") {
    "5.3"
} else {
    "5.4"
};

/// What `require "minimix_core"` gives: `VERSION`, `LUA` and `open`.
// Building a stanza takes half the instructions without a protected call for each allocation. If Lua can't get
// memory, what a call has built so far leaks; the core is never borrowed while Lua allocates.
#[cfg_attr(feature = "module", mlua::lua_module(skip_memory_check))]
#[cfg_attr(feature = "module", allow(unsafe_code))] // the entry that Lua looks for is made by a macro
pub fn minimix_core(lua: &Lua) -> Result<Table> {
    log::install();
    let module = lua.create_table()?;
    module.raw_set("VERSION", VERSION)?;
    module.raw_set("LUA", LUA)?;
    module.raw_set("open", lua.create_function(functions::open)?)?;
    Ok(module)
}
