//! All unsafe code of the crate: looks into tables of Lua without a reference to each value.
//!
//! [`walk`] lends a table, as a [`Place`] on Lua's stack, to a plain function. Nothing here calls a metamethod,
//! raises an error or allocates in Lua but for the stack. What makes that sound:
//!
//! - A plain function captures no handle to Lua: while it looks, no Lua runs and no table changes, so what it
//!   borrows stays where it is.
//! - A place is lent out exclusively: while one of its values is looked at, nothing else is pushed from it. So it
//!   is enough that a place has [`SLOTS`] above it when it is made.
//! - Values are pushed before they are lent and popped after; no result can borrow from them.
//! - A panic is caught before it reaches a frame of Lua, and goes on behind it.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mlua::{Lua, LuaString, Table, ffi};

/// What a table needs of the stack while it is looked into: a key and a value. Any C function may use 20.
const SLOTS: c_int = 2;

/// The keys that a walk may look for, by where they stand on the stack: above the table, which is at 1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Name = 2,
    Attr = 3,
}

/// A table on Lua's stack.
#[derive(Debug)]
pub(super) struct Place<'walk> {
    state: *mut ffi::lua_State,
    /// Counted from the bottom, so that it stays right while more comes on top.
    index: c_int,
    walk: PhantomData<&'walk ()>,
}

/// A value in a table.
#[derive(Debug)]
pub(super) enum Found<'walk> {
    Nothing,
    Text(&'walk [u8]),
    /// A whole number; a fraction is [`Found::Other`].
    Number(i64),
    Table(Place<'walk>),
    /// A table that there is no stack for.
    TooMuch,
    Other,
}

/// Lends a table to a function. The two strings are the keys, in their order.
pub(super) fn walk<R>(
    lua: &Lua,
    table: &Table,
    [name, attr]: [&LuaString; 2],
    look: fn(Place<'_>) -> R,
) -> mlua::Result<R> {
    let mut result = None;
    // SAFETY: the closure gets a valid state with the arguments at the bottom of a new frame, and leaves it empty.
    unsafe {
        lua.exec_raw::<()>((table, name, attr), |state| {
            let place = Place { state, index: 1, walk: PhantomData };
            result = Some(catch_unwind(AssertUnwindSafe(|| look(place))));
            ffi::lua_settop(state, 0);
        })?;
    }
    match result {
        Some(Ok(found)) => Ok(found),
        Some(Err(panic)) => resume_unwind(panic),
        None => Err(mlua::Error::runtime("Lua did not look")),
    }
}

impl Place<'_> {
    /// Lends the value under a key.
    pub(super) fn field<R>(&mut self, key: Key, look: impl FnOnce(Found<'_>) -> R) -> R {
        // SAFETY: there is a slot, `self.index` holds a table, and a raw look-up fails with no key.
        let kind = unsafe {
            ffi::lua_pushvalue(self.state, key as c_int);
            ffi::lua_rawget(self.state, self.index)
        };
        self.lend_top(kind, look)
    }

    /// Lends the item at a position of the sequence.
    pub(super) fn item<R>(&mut self, position: i64, look: impl FnOnce(Found<'_>) -> R) -> R {
        // SAFETY: as in `field`.
        let kind = unsafe { ffi::lua_rawgeti(self.state, self.index, position) };
        self.lend_top(kind, look)
    }

    /// How many items the sequence has.
    pub(super) fn len(&self) -> usize {
        // SAFETY: `self.index` holds a table; its `__len` is not asked.
        unsafe { ffi::lua_rawlen(self.state, self.index) as usize }
    }

    /// Lends every key with its value, in no order, until one fails.
    pub(super) fn each<E>(
        &mut self,
        mut look: impl FnMut(Found<'_>, Found<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // SAFETY: there are slots for key and value. `lua_next` raises only if the key is not in the table: it is
        // the one that it gave, because it is never converted and no table changes during a walk.
        unsafe {
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, self.index) != 0 {
                let key = self.found(ffi::lua_type(self.state, -2), -2);
                let value = self.found(ffi::lua_type(self.state, -1), -1);
                let looked = look(key, value);
                ffi::lua_settop(self.state, if looked.is_ok() { -2 } else { -3 });
                looked?;
            }
        }
        Ok(())
    }

    /// Lends the value on top of the stack, which is of that kind, and takes it off.
    fn lend_top<R>(&mut self, kind: c_int, look: impl FnOnce(Found<'_>) -> R) -> R {
        // SAFETY: `field` and `item` have pushed one value; nothing borrows from it when it is popped.
        unsafe {
            let looked = look(self.found(kind, -1));
            ffi::lua_settop(self.state, -2);
            looked
        }
    }

    /// # Safety
    /// The index must hold a value of that kind as long as the result lives.
    unsafe fn found(&self, kind: c_int, index: c_int) -> Found<'_> {
        let state = self.state;
        // SAFETY: `lua_tolstring` converts numbers, and may raise then, so it is only given strings; their bytes
        // stay where they are as long as the stack refers to them. `lua_checkstack` says when there is no memory.
        unsafe {
            match kind {
                ffi::LUA_TNIL => Found::Nothing,
                ffi::LUA_TSTRING => {
                    let mut length = 0;
                    let start = ffi::lua_tolstring(state, index, &raw mut length);
                    Found::Text(std::slice::from_raw_parts(start.cast(), length))
                }
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                    Found::Number(ffi::lua_tointeger(state, index))
                }
                ffi::LUA_TTABLE if ffi::lua_checkstack(state, SLOTS) != 0 => {
                    Found::Table(Place { state, index: ffi::lua_absindex(state, index), walk: PhantomData })
                }
                ffi::LUA_TTABLE => Found::TooMuch,
                _ => Found::Other,
            }
        }
    }
}
