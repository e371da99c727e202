//! The reader against the reference: the same stanza, or both find it unreadable.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, Table};

use super::super::raw::function;
use super::{Unreadable, reference};
use crate::xmpp::stanza::Stanza;

/// Reads as Prosody has it read: in a function of Lua.
struct Reader {
    read: Rc<RefCell<Option<Result<Stanza, Unreadable>>>>,
    function: Function,
}

impl Reader {
    fn new(lua: &Lua) -> mlua::Result<Self> {
        let read = Rc::default();
        let function = function(lua, Rc::clone(&read), |read: &RefCell<_>, frame| {
            let found = super::stanza(frame.argument(1));
            frame.give_flag(found.is_ok());
            read.replace(Some(found));
        })?;
        Ok(Self { read, function })
    }

    fn stanza(&self, table: &Table) -> mlua::Result<Result<Stanza, Unreadable>> {
        self.function.call::<bool>(table)?;
        self.read.take().ok_or_else(|| mlua::Error::runtime("a panic"))
    }
}

/// Tables as Prosody and as nobody sane makes them, by a small copy of `util.stanza`.
const TABLES: &str = r#"
local metatable = {}
metatable.__index = metatable
local function element(name, attr, ...)
    return setmetatable({ name = name, attr = attr or {}, tags = {}, ... }, metatable)
end
local function deep(levels)
    local inner = element("a")
    for _ = 2, levels do inner = element("a", nil, inner) end
    return element("message", nil, inner)
end
local function wide(count, child)
    local stanza = element("message")
    for i = 1, count do stanza[i] = child end
    return stanza
end
local function raising()
    local function raise() error("a metamethod was called") end
    local meta = {}
    for _, event in ipairs { "index", "newindex", "len", "pairs", "call", "eq", "tostring", "name", "gc", "close" } do
        meta["__"..event] = raise
    end
    return meta
end
local values = {
    true, false, 0, 7, -1, 1 << 53, math.mininteger, "", "x", "\0", "ü", "\255", ("long"):rep(100),
    {}, print, coroutine.create(print), io.stdout, setmetatable({}, raising()),
    element("presence"), element("x", { xmlns = "a" }, "t"),
}

local tables = {}
local function add(table) tables[#tables + 1] = table end

add(element("presence"))
add(element("presence", { from = "r@s/n", to = "a@h", id = "1", xmlns = "jabber:client", ["xml:lang"] = "en" },
    element("show", { xmlns = "jabber:client" }, "away"),
    element("x", { xmlns = "http://jabber.org/protocol/muc#user" },
        element("item", { role = "none", affiliation = "member", jid = "b@h/r" }, element("reason", nil, "a", "b")),
        element("status", { code = "110" })),
    element("x", { xmlns = "vcard-temp:x:update" }, element("photo"))))
add(element("message", { type = "groupchat", b = "2", a = "1", ["urn:q\1b"] = "3", from = "", id = "" },
    "dropped", element("body", nil, "1 < 2 & ü"), "dropped too",
    element("html", { xmlns = "h" }, "t", element("body", { xmlns = "i" }, element("b", nil, "u")), "v"),
    element("body", { xmlns = "jabber:server" }, element("inherits"))))
add(element("iq", { type = "result", xmlns = "jabber:server" }, element("query", { xmlns = "q" },
    element("z", { xmlns = "jabber:client" }))))
for _, name in ipairs { "iq", "query", "stream:features", "Presence", "" } do add(element(name)) end
for _, kind in ipairs { "get", "set", "error", "unavailable", "chat", "headline", "nonsense" } do
    for _, name in ipairs { "presence", "message", "iq" } do add(element(name, { type = kind })) end
end

add(deep(64)); add(deep(65)); add(deep(5000))
add(wide(9998, element("a"))); add(wide(9999, element("a"))); add(wide(10000, element("a")))
add(wide(9999, "")); add(wide(10000, ""))
add(wide(1, ("x"):rep(1024 * 1024 - 7))); add(wide(1, ("x"):rep(1024 * 1024 - 6)))
add(element("message", { id = ("x"):rep(1024 * 1024 - 9) })); add(element("message", { id = ("x"):rep(1024 * 1024 - 8) }))
do
    local many = {}
    for i = 1, 9998 do many["a"..i] = "" end
    add(element("message", many)); many.last = ""; add(element("message", many))
    many.more = ""; add(element("message", many))
end

local endless = element("message"); endless[1] = endless; add(endless)
local inner = element("a"); inner[1] = element("b", nil, inner); add(element("message", nil, inner))
local own_attr = element("message"); own_attr.attr = own_attr; add(own_attr)
add(setmetatable({ name = "message", attr = { id = "1" }, tags = {}, element("body", nil, "x") }, raising()))
add(setmetatable({}, { __index = element("message"), __len = function () return 3 end }))
add(setmetatable({ name = "message", attr = setmetatable({}, { __index = { id = "1" } }), tags = {} }, nil))
add(element("message", setmetatable({ id = "1" }, raising()), setmetatable(element("body"), raising())))
local holed = element("message", nil, element("a"), element("b"), element("c")); holed[2] = nil; add(holed)
add({ name = "message", attr = {}, [2] = element("a"), [4] = element("b"), [1 << 40] = "x", [1.5] = "y" })

for _, value in ipairs(values) do
    add({ name = value, attr = {} }); add({ name = "message", attr = value }); add(element("message", { id = value }))
    add(element("message", { [value] = "x" })); add(element("message", { xmlns = value }))
    add(element("presence", { type = value })); add(element("message", nil, value))
    add(element("message", nil, element("a", nil, value))); add(element("message", nil, element("a", { b = value }), "t"))
    add(element("message", nil, { name = value, attr = {} })); add(element("message", nil, { name = "a", attr = value }))
    add(element("message", nil, element("a", { xmlns = value }, element("b"))))
    add(element("message", nil, element("a", { [value] = value })))
end
add({ attr = {} }); add({ name = "message" }); add({}); add(element("message", nil, {}))
add(element("message", { [1] = "number", ["1"] = "text" }))
return tables
"#;

fn tables(lua: &Lua) -> mlua::Result<Vec<Table>> {
    lua.load(TABLES).eval()
}

#[test]
fn what_the_reference_reads_is_read_alike() {
    let lua = Lua::new();
    let reader = Reader::new(&lua).unwrap();
    let (mut readable, mut unreadable) = (0, 0);
    for (position, table) in tables(&lua).unwrap().iter().enumerate() {
        let found: Option<Stanza> = reader.stanza(table).unwrap().ok();
        assert_eq!(found, reference::stanza(table).ok(), "table {position}");
        *(if found.is_some() { &mut readable } else { &mut unreadable }) += 1;
    }
    assert!(readable > 100 && unreadable > 100, "{readable} readable, {unreadable} not");
}

/// A handler of Prosody runs in a coroutine, and with as much on the stack as it likes.
#[test]
fn the_stack_is_left_as_it_was_wherever_it_is_read() {
    let lua = Lua::new();
    let read = Reader::new(&lua).unwrap().function;
    let in_coroutine: Function = lua
        .load(
            "local read, tables = ...
             return function ()
                 local function nested(depth)
                     if depth > 0 then local a, b, c = 1, 2, nested(depth - 1); return c; end
                     for i = 1, #tables, 40 do
                         local first, second = read(table.unpack(tables, i, math.min(i + 39, #tables)));
                         assert(type(first) == 'boolean' and second == nil);
                         coroutine.yield(i);
                     end
                     return 'done';
                 end
                 local thread, result = coroutine.create(nested), nil;
                 repeat
                     local ok, value = coroutine.resume(thread, 50);
                     assert(ok, value);
                     collectgarbage();
                     result = value;
                 until coroutine.status(thread) == 'dead';
                 return result;
             end",
        )
        .call((read, tables(&lua).unwrap()))
        .unwrap();
    assert_eq!(in_coroutine.call::<String>(()).unwrap(), "done");
}

#[test]
fn a_fault_says_what_is_wrong() {
    let lua = Lua::new();
    let reader = Reader::new(&lua).unwrap();
    let fault = |code: &str| {
        let table: Table = lua.load(code).eval().unwrap();
        reader.stanza(&table).unwrap().unwrap_err().to_string()
    };
    assert_eq!(fault("{ attr = {} }"), "malformed stanza: no name");
    assert_eq!(fault("{ name = {}, attr = {} }"), "malformed stanza: a name is no text");
    assert_eq!(fault("{ name = 'message' }"), "malformed stanza: no attributes");
    assert_eq!(fault("{ name = 'message', attr = 7 }"), "malformed stanza: attributes are no table");
    assert_eq!(
        fault("{ name = 'message', attr = { id = true } }"),
        "malformed stanza: an attribute is no text"
    );
    assert_eq!(
        fault("{ name = 'message', attr = { id = 1.5 } }"),
        "malformed stanza: an attribute is no text"
    );
    assert_eq!(
        fault("{ name = 'message', attr = {}, 5 }"),
        "malformed stanza: a child is neither element nor text"
    );
    assert_eq!(fault("{ name = 'message', attr = {}, '\\255' }"), "malformed stanza: text is not UTF-8");
    assert_eq!(fault("{ name = 'x', attr = {} }"), "malformed stanza: neither presence, message nor iq");
    assert_eq!(fault("{ name = ('x'):rep(2^21), attr = {} }"), "stanza too large");
}

/// The wrapper needs no protected call for it.
#[test]
fn a_panic_gives_false_and_what_a_function_holds_lives_as_long_as_it() {
    let lua = Lua::new();
    let owner = Rc::new(7);
    let panics = function(&lua, Rc::clone(&owner), |owner, _| assert_eq!(*owner, 8)).unwrap();
    assert!(!panics.call::<bool>(()).unwrap());
    assert_eq!(Rc::strong_count(&owner), 2);
    drop(panics);
    lua.gc_collect().unwrap();
    lua.gc_collect().unwrap();
    assert_eq!(Rc::strong_count(&owner), 1);
}

/// Finalizers run in the reverse order of their making, so that of `late` comes after that of the function it has.
#[test]
fn a_finalizer_may_call_a_function_that_has_been_finalized() {
    let lua = Lua::new();
    let late = "late = setmetatable({}, { __gc = function (self) given = self.call(); called = true; end })";
    lua.load(late).exec().unwrap();
    let says_true = function(&lua, Rc::new(()), |(), frame| frame.give_flag(true)).unwrap();
    assert!(says_true.call::<bool>(()).unwrap());
    lua.globals().get::<Table>("late").unwrap().set("call", says_true).unwrap();
    lua.globals().set("late", mlua::Nil).unwrap();
    lua.gc_collect().unwrap();
    lua.gc_collect().unwrap();
    assert!(lua.globals().get::<bool>("called").unwrap());
    assert_eq!(lua.globals().get::<Option<bool>>("given").unwrap(), None);
}

#[test]
fn numbers_are_given_in_a_table() {
    let lua = Lua::new();
    let numbers = function(&lua, Rc::new(()), |(), frame| {
        let count = frame.number(1).unwrap_or(0);
        let given = frame.give_numbers(2, (0..count).map(|_| 7).collect::<Vec<_>>().into_iter());
        assert!(given || count > 16);
    });
    let table = lua.create_table().unwrap();
    let numbers = numbers.unwrap();
    assert_eq!(numbers.call::<i64>((3, &table)).unwrap(), 3);
    assert_eq!(table.raw_len(), 3);
    assert_eq!(numbers.call::<i64>((0, &table)).unwrap(), 0);
    assert_eq!(numbers.call::<Option<i64>>((17, &table)).unwrap(), None);
    assert!(!numbers.call::<bool>((3, 5)).unwrap(), "no table is a fault of the caller");
}
