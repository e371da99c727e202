-- Stanzas of any shape, made from a seed.

local fake = require "support.prosody";

local st = fake.st;
local xmlns_muc = "http://jabber.org/protocol/muc";
local shapes = {};

local function pick(list) return list[math.random(#list)]; end

local rooms = { "lounge@rooms.example.org", "lounge@rooms.example.org", "den@rooms.example.org", "far@rooms.example" };
local nicks = { "", "/alice", "/bob", "/n1", "/" };
local ids = { "j", "one", "two", "\0", "", ("i"):rep(600) };
local namespaces = {
	xmlns_muc, xmlns_muc.."#user", "urn:xmpp:delay", "urn:xmpp:mam:2", "urn:xmpp:ping", "jabber:client", "",
	"urn:example:odd",
	"urn:xmpp:sid:0", "http://jabber.org/protocol/ibb", "jabber:iq:version", "http://jabber.org/protocol/disco#info",
};
local names = { "x", "body", "subject", "show", "error", "item", "status", "delay", "query", "history", "ping", "a" };
local attributes = { "code", "nick", "jid", "affiliation", "role", "id", "by", "stamp", "from", "type", "since", "sid" };
local values = { "110", "301", "303", "307", "alice", "member", "none", "participant", "s1", "-1", "9999999999" };

-- What should be a text.
local function odd()
	local kind = math.random(10);
	if kind == 1 then return math.random(1000); end
	if kind == 2 then return 0 / 0; end
	if kind == 3 then return true; end
	if kind == 4 then return {}; end
	if kind == 5 then return "\xff\xfe\0"; end
	if kind == 6 then return function () end; end
	if kind == 7 then return ("x"):rep(100000); end
	if kind == 8 then return coroutine.create(function () end); end
	if kind == 9 then return nil; end
	return math.mininteger;
end

-- Tables that raise an error, or say something else each time, when they are looked at.
local hostile_metatables = {
	{ __index = function () error("an index"); end };
	{ __len = function () error("a length"); end };
	{ __pairs = function () error("pairs"); end };
	{ __newindex = function () error("a new index"); end };
	{ __index = function (_, key) return key; end, __len = function () return 1e9; end };
	{ __index = function () coroutine.yield(); end };
	{ __gc = true };
	{ __tostring = function () error("a text"); end, __name = "\0", __metatable = false };
};

local budget; -- of nodes

local function element(depth)
	budget = budget - 1;
	local child = st.stanza(pick(names), { xmlns = pick(namespaces) });
	for _ = 1, math.random(0, 3) do child.attr[pick(attributes)] = pick(values); end
	while budget > 0 and depth < 6 and math.random(3) == 1 do child:add_direct_child(element(depth + 1)); end
	if math.random(3) == 1 then child:text("text"); end
	return child;
end

local function deep(length)
	local outer = st.stanza("a");
	local inner = outer;
	for _ = 1, length do
		local next_one = st.stanza("a");
		inner[1], inner.tags[1] = next_one, next_one;
		inner = next_one;
	end
	return outer;
end

local damages = {
	function (stanza) stanza.attr = nil; end;
	function (stanza) stanza.attr = odd(); end;
	function (stanza) stanza.name = odd(); end;
	function (stanza) stanza.tags = odd(); end;
	function (stanza) stanza.attr[pick(attributes)] = odd(); end;
	function (stanza) stanza.attr.type = odd(); end;
	function (stanza) stanza.attr.id = odd(); end;
	function (stanza) stanza.attr.to = odd(); end;
	function (stanza) stanza.attr.from = odd(); end;
	function (stanza) stanza.attr[odd() or 1] = "odd"; end;
	function (stanza) stanza[#stanza + 1] = odd(); end;
	function (stanza) stanza[#stanza + 2] = "after a hole"; end;
	function (stanza) stanza[1] = stanza; end; -- a cycle
	function (stanza) stanza.attr.nested = stanza.attr; end;
	function (stanza) stanza:add_direct_child(deep(pick({ 10, 63, 64, 65, 66, 1000, 50000 }))); end;
	function (stanza) setmetatable(stanza, pick(hostile_metatables)); end;
	function (stanza) setmetatable(stanza.attr, pick(hostile_metatables)); end;
	function (stanza) stanza[1] = setmetatable({ name = "x", attr = {} }, pick(hostile_metatables)); end;
	function (stanza) stanza[1] = { name = odd(), attr = { xmlns = odd() }, odd() }; end;
	function (stanza) stanza[1] = { name = "x" }; end;
	function (stanza) stanza.attr["a\1b"] = "x"; stanza.attr["\1"] = "x"; stanza.attr["a\1b\1c"] = "y"; end;
};

-- A stanza to or from a room, how much it is, and whether it is sound.
function shapes.stanza(address, value)
	budget = math.random(4) == 1 and 300 or 12;
	local most = budget;
	local kind = pick({ "presence", "presence", "message", "message", "iq" });
	local types = {
		presence = { "unavailable", "error", "subscribe", "probe" }, message = { "groupchat", "groupchat", "chat", "error" };
		iq = { "get", "set", "result", "error" };
	};
	local stanza = st.stanza(kind, { [address] = pick(rooms)..pick(nicks) });
	stanza.attr.id = pick(ids); -- which the constructor would refuse
	if kind == "iq" or math.random(2) == 1 then stanza.attr.type = pick(types[kind]); end
	if value then stanza.attr.to = value; end
	if kind == "presence" and math.random(2) == 1 then
		stanza:tag("x", { xmlns = value and xmlns_muc.."#user" or xmlns_muc });
		if value then stanza:tag("status", { code = pick({ "110", "303", "307" }) }):up(); end
		stanza:up();
	end
	for _ = 1, math.random(0, 4) do stanza:add_direct_child(element(1)); end
	if math.random(10) == 1 then -- sound, though the core may refuse it
		local depth = pick({ 10, 63, 64, 65, 66, 1000 });
		stanza:add_direct_child(deep(depth));
		most = most + depth;
	end
	local is_sound = true;
	if math.random(3) == 1 then
		is_sound = false;
		for _ = 1, math.random(2) do pcall(pick(damages), stanza); end
	end
	return stanza, most - budget, is_sound;
end

shapes.odd, shapes.pick = odd, pick;
return shapes;
