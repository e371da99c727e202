//! All unsafe code of the crate: functions that Lua calls without a detour, which look into their arguments
//! without a reference to each value.
//!
//! [`function`] makes a function of Lua from a plain one, which is lent the arguments as a [`Frame`] and their
//! tables as [`Place`]s on Lua's stack. Nothing here calls a metamethod, or raises an error while Rust has anything
//! to drop; while a plain function looks, nothing is allocated in Lua but for the stack. What makes that sound:
//!
//! - A plain function captures no handle to Lua: while it looks, no Lua runs and no table changes, so what it
//!   borrows stays where it is.
//! - The arguments stay on the stack until the function returns; what it gives back comes on top of them.
//! - A place is lent out exclusively: while one of its values is looked at, nothing else is pushed from it. So it
//!   is enough that a place has [`SLOTS`] above it when it is made, and it knows where its values come to lie.
//! - The values of a place are pushed before they are lent and popped after; no result can borrow from them.
//! - A panic is caught before it reaches a frame of Lua.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::marker::PhantomData;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::slice;

use mlua::{Function, Lua, ffi};

/// What a table needs of the stack while it is looked into: a key and a value. Any C function may use 20.
const SLOTS: c_int = 2;
/// How many slots are asked for at once, so that not every table has to ask.
const SLOTS_ASKED: c_int = 16;
/// How many numbers a function may give back.
const MAX_NUMBERS: usize = 16;

/// What a function of ours holds as its upvalues.
const NAME: c_int = 1;
const ATTR: c_int = 2;
const ENTRY: c_int = 3;

/// The keys that can be looked for in a table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Name = NAME as isize,
    Attr = ATTR as isize,
}

/// A plain function and what it is about, as long as that is there. It lies in memory of Lua that a function holds.
struct Entry<T> {
    owner: RefCell<Option<Rc<T>>>,
    call: fn(&T, &mut Frame<'_>),
}

/// The call of a function: its arguments, and what it gives back.
#[derive(Debug)]
pub(super) struct Frame<'call> {
    state: *mut ffi::lua_State,
    given: Given,
    call: PhantomData<&'call ()>,
}

/// What a call gives back. It is handed to Lua, which may raise an error then, when nothing is left to be dropped.
#[derive(Clone, Copy, Debug)]
enum Given {
    Nothing,
    Flag(bool),
    Number(i64),
    Numbers { position: c_int, list: [u32; MAX_NUMBERS], count: u32 },
}

/// A table on Lua's stack.
#[derive(Debug)]
pub(super) struct Place<'walk> {
    state: *mut ffi::lua_State,
    /// Counted from the bottom, so that it stays right while more comes on top.
    index: c_int,
    /// The highest slot that is in use while nothing of the table is lent.
    top: c_int,
    /// How many slots above that may be used.
    free: c_int,
    walk: PhantomData<&'walk ()>,
}

/// A value of Lua.
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

/// Makes a function of Lua. It gives back `false` if the plain one panics.
///
/// Its owner is dropped when Lua finalizes what the function holds. A finalizer that runs later may still call the
/// function, which does nothing then.
pub(super) fn function<T: 'static>(
    lua: &Lua,
    owner: Rc<T>,
    call: fn(&T, &mut Frame<'_>),
) -> mlua::Result<Function> {
    let entry = Entry { owner: RefCell::new(Some(owner)), call };
    // SAFETY: the closure leaves one value, the function, in the place of the arguments. It takes four of the slots
    // that every C function has. Memory of Lua is aligned for anything.
    unsafe {
        lua.exec_raw(("name", "attr"), |state| {
            ffi::lua_newuserdata(state, size_of::<Entry<T>>()).cast::<Entry<T>>().write(entry);
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushcfunction(state, release::<T>);
            ffi::lua_setfield(state, -2, c"__gc".as_ptr());
            ffi::lua_setmetatable(state, -2);
            ffi::lua_pushcclosure(state, enter::<T>, ENTRY);
        })
    }
}

/// Drops the owner of an entry. The entry has nothing else to drop, and stays readable until Lua frees it.
///
/// # Safety
/// Lua may call it as the finalizer that [`function`] has set.
unsafe extern "C-unwind" fn release<T>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a finalizer is given its object, which is an entry.
    let entry = unsafe { &*ffi::lua_touserdata(state, 1).cast::<Entry<T>>() };
    drop(catch_unwind(AssertUnwindSafe(|| drop(entry.owner.take()))));
    0
}

/// # Safety
/// Lua may call it as the function that [`function`] has made.
unsafe extern "C-unwind" fn enter<T>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the last upvalue is an entry, which Lua keeps as long as the function.
    let entry = unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(ENTRY)).cast::<Entry<T>>() };
    let mut frame = Frame { state, given: Given::Nothing, call: PhantomData };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        if let Some(owner) = &*entry.owner.borrow() {
            (entry.call)(owner, &mut frame);
        }
    }));
    if ended.is_err() {
        frame.given = Given::Flag(false);
        // SAFETY: nothing is lent any more; a panic leaves on the stack what was.
        unsafe { ffi::lua_settop(state, 0) };
    }
    drop(ended);
    // SAFETY: all of it may leave by a jump, which drops nothing; two values need two of the slots that every C
    // function has.
    unsafe {
        match frame.given {
            Given::Nothing => return 0,
            Given::Flag(flag) => ffi::lua_pushboolean(state, flag.into()),
            Given::Number(number) => ffi::lua_pushinteger(state, number),
            Given::Numbers { position, list, count } => {
                for (place, number) in (1..=count).zip(list) {
                    ffi::lua_pushinteger(state, number.into());
                    ffi::lua_rawseti(state, position, place.into());
                }
                ffi::lua_pushinteger(state, count.into());
            }
        }
    }
    1
}

impl<'call> Frame<'call> {
    /// An argument, counted from 1; exclusively, because it may be a table to be looked into.
    pub(super) fn argument(&mut self, position: c_int) -> Found<'_> {
        // SAFETY: an argument stays where it is, and has no type if it was not given.
        unsafe {
            let top = ffi::lua_gettop(self.state);
            found(self.state, ffi::lua_type(self.state, position), position, Above { top, free: 0 })
        }
    }

    /// An argument that is a text.
    pub(super) fn text(&self, position: c_int) -> Option<&'call str> {
        // SAFETY: as in `argument`; nothing takes arguments off the stack while the call lasts.
        match unsafe { plain(self.state, ffi::lua_type(self.state, position), position) } {
            Found::Text(bytes) => utf8(bytes),
            Found::Nothing | Found::Number(_) | Found::Table(_) | Found::TooMuch | Found::Other => None,
        }
    }

    /// An argument that is a whole number.
    pub(super) fn number(&self, position: c_int) -> Option<i64> {
        // SAFETY: as in `argument`; the value is lent for no longer than this.
        match unsafe { plain(self.state, ffi::lua_type(self.state, position), position) } {
            Found::Number(number) => Some(number),
            Found::Nothing | Found::Text(_) | Found::Table(_) | Found::TooMuch | Found::Other => None,
        }
    }

    /// Whether an argument is true.
    pub(super) fn flag(&self, position: c_int) -> bool {
        // SAFETY: any position may be asked about.
        unsafe { ffi::lua_toboolean(self.state, position) != 0 }
    }

    /// Gives back a whole number.
    pub(super) fn give_number(&mut self, number: i64) {
        self.given = Given::Number(number);
    }

    /// Gives back a truth value.
    pub(super) fn give_flag(&mut self, flag: bool) {
        self.given = Given::Flag(flag);
    }

    /// Gives back how many numbers there are, and puts them into a table that is an argument; false if they are
    /// more than [`MAX_NUMBERS`] or there is no such table.
    pub(super) fn give_numbers(
        &mut self,
        position: c_int,
        numbers: impl ExactSizeIterator<Item = u32>,
    ) -> bool {
        // SAFETY: any position may be asked about.
        let is_table = unsafe { ffi::lua_type(self.state, position) } == ffi::LUA_TTABLE;
        if !is_table || numbers.len() > MAX_NUMBERS {
            return false;
        }
        let (mut list, mut count) = ([0; MAX_NUMBERS], 0);
        for (place, number) in list.iter_mut().zip(numbers) {
            *place = number;
            count += 1;
        }
        self.given = Given::Numbers { position, list, count };
        true
    }
}

impl Place<'_> {
    /// Lends the value under a key.
    pub(super) fn field<R>(&mut self, key: Key, look: impl FnOnce(Found<'_>) -> R) -> R {
        // SAFETY: there is a slot, `self.index` holds a table, and a raw look-up fails with no key.
        let kind = unsafe {
            ffi::lua_pushvalue(self.state, ffi::lua_upvalueindex(key as c_int));
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
                let (first, second) = (self.top + 1, self.top + 2);
                let key = plain(self.state, ffi::lua_type(self.state, first), first);
                let above = Above { top: second, free: self.free - 2 };
                let value = found(self.state, ffi::lua_type(self.state, second), second, above);
                let looked = look(key, value);
                ffi::lua_settop(self.state, if looked.is_ok() { first } else { self.top });
                looked?;
            }
        }
        Ok(())
    }

    /// Lends the value on top of the stack, which is of that kind, and takes it off.
    fn lend_top<R>(&mut self, kind: c_int, look: impl FnOnce(Found<'_>) -> R) -> R {
        // SAFETY: `field` and `item` have pushed one value; nothing borrows from it when it is popped.
        unsafe {
            let index = self.top + 1;
            let looked = look(found(self.state, kind, index, Above { top: index, free: self.free - 1 }));
            ffi::lua_settop(self.state, self.top);
            looked
        }
    }
}

/// Bytes as a text, if they are one. Nearly all are plain ASCII, which is told at a fraction of the cost.
pub(super) fn utf8(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

/// What is above a value: the highest slot in use, and how many more may be used.
#[derive(Clone, Copy)]
struct Above {
    top: c_int,
    free: c_int,
}

/// Lends the value at an index of the stack, counted from the bottom.
///
/// # Safety
/// The index must hold a value of that kind as long as the result lives, and what is above must be as said.
#[inline]
unsafe fn found<'walk>(
    state: *mut ffi::lua_State,
    kind: c_int,
    index: c_int,
    mut above: Above,
) -> Found<'walk> {
    if kind != ffi::LUA_TTABLE {
        // SAFETY: as this function.
        return unsafe { plain(state, kind, index) };
    }
    if above.free < SLOTS {
        // SAFETY: `lua_checkstack` raises nothing, and says when there is no memory.
        if unsafe { ffi::lua_checkstack(state, SLOTS_ASKED) } == 0 {
            return Found::TooMuch;
        }
        above.free = SLOTS_ASKED;
    }
    Found::Table(Place { state, index, top: above.top, free: above.free, walk: PhantomData })
}

/// The same, but a table is not looked into.
///
/// # Safety
/// The index must hold a value of that kind as long as the result lives.
#[inline]
unsafe fn plain<'walk>(state: *mut ffi::lua_State, kind: c_int, index: c_int) -> Found<'walk> {
    // SAFETY: `lua_tolstring` converts numbers, and may raise then, so it is only given strings; their bytes stay
    // where they are as long as the stack refers to them.
    unsafe {
        match kind {
            ffi::LUA_TNIL => Found::Nothing,
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let start = ffi::lua_tolstring(state, index, &raw mut length);
                Found::Text(slice::from_raw_parts(start.cast(), length))
            }
            ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                Found::Number(ffi::lua_tointeger(state, index))
            }
            _ => Found::Other,
        }
    }
}
