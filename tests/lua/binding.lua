-- The core in a real Lua: what it reads of a stanza table, and what it builds.

local check = require "support.check";
local fake = require "support.prosody";
local core = require "minimix_core";
local parse = require "util.xml".parse;

local st = fake.st;
local metatable = getmetatable(st.stanza("presence"));

local seed = ("s"):rep(32);

local function open(options)
	return assert(core.open(options or {}, seed, metatable));
end

-- A stanza as text: namespaces resolved, attributes in order, so that what means the same is the same.
local function canonical(element, parent_namespace)
	local namespace = element.attr.xmlns or parent_namespace or "jabber:client";
	local attributes = {};
	for name, value in pairs(element.attr) do
		if name ~= "xmlns" then table.insert(attributes, name.."="..value); end
	end
	table.sort(attributes);
	local parts = { ("<{%s}%s %s>"):format(namespace, element.name, table.concat(attributes, ",")) };
	for _, child in ipairs(element) do
		table.insert(parts, type(child) == "table" and canonical(child, namespace) or "'"..child.."'");
	end
	return table.concat(parts).."</>";
end

local function check_invariants(element)
	check.equal(getmetatable(element), metatable, "metatable");
	local position = 0;
	for _, child in ipairs(element) do
		if type(child) == "table" then
			position = position + 1;
			check.equal(element.tags[position], child, "tags");
			check.equal(child.attr ~= element.attr, true, "own attributes");
			check_invariants(child);
		end
	end
	check.equal(#element.tags, position, "number of tags");
end

-- A stanza as the core would deliver it, or why it can't be read.
local function copied(host, stanza)
	check.equal(host.copy(stanza), false, "a report");
	local report = host.report();
	if type(report) == "string" then return nil, report; end
	return report.actions[1].stanza;
end

local function stays(stanza)
	local copy = assert(copied(open(), stanza));
	check.equal(canonical(copy), canonical(stanza));
	check_invariants(copy);
	check.equal(canonical(st.clone(copy)), canonical(stanza), "clone");
	return copy;
end

check.test("the module says what it is", function ()
	check.equal(core.VERSION, io.open("Cargo.toml"):read("*a"):match('\nversion = "([^"]+)"'), "version");
	local wrapper = io.open("lua/mod_minimix/mod_minimix.lua"):read("*a");
	check.equal(core.VERSION, wrapper:match('local VERSION = "([^"]+)"'), "version of the wrapper");
	check.equal(core.LUA, _VERSION:match("%d+%.%d+"), "Lua");
end);

check.test("a parsed stanza comes back as it was", function ()
	for _, xml in ipairs({
		"<presence/>",
		"<presence from='r@s/n' to='a@h' id='1'><show>away</show><c xmlns='caps' node='n'/>"
			.."<x xmlns='http://jabber.org/protocol/muc#user'><item role='none'/><status code='110'/></x></presence>",
		"<message type='groupchat' from='r@s/n' xml:lang='en'><body>a &lt; b &amp; ü</body><x xmlns='x'>t<y/>u</x></message>",
		"<iq type='result' id='i' from='r@s/n' xmlns:q='urn:q'><query xmlns='q' q:a='1'><z xmlns='jabber:client'/></query></iq>",
	}) do
		stays(assert(parse(xml)));
	end
end);

check.test("a stanza built in this process comes back with its namespaces", function ()
	local built = st.presence({ from = "r@s/n", to = "a@h" })
		:tag("x", { xmlns = "http://jabber.org/protocol/muc#user" })
			:tag("item", { role = "none" }):tag("reason"):text("bye"):up():up()
			:tag("status", { code = "110" }):up():up()
		:text_tag("status", "gone");
	local copy = stays(built);
	check.equal(copy.tags[1].tags[1].attr.xmlns, "http://jabber.org/protocol/muc#user", "explicit");
	check.equal(copy.tags[2].attr.xmlns, nil, "jabber:client stays implicit");
	check.equal(copy:find("{http://jabber.org/protocol/muc#user}x/item/reason#"), "bye", "found");
end);

check.test("jabber:server is jabber:client", function ()
	local copy = copied(open(), st.message():tag("body", { xmlns = "jabber:server" }):text("x"):up());
	check.equal(copy.tags[1].attr.xmlns, nil);
	check.equal(copy:get_child_text("body"), "x");
end);

check.test("what is no stanza is an error that is returned, not raised", function ()
	local host = open();
	local function element(fields)
		return { name = "message", attr = {}, tags = {}, fields };
	end
	for what, table in pairs({
		["no name"] = { attr = {}, tags = {} };
		["no attributes"] = { name = "message", tags = {} };
		["attributes that are no table"] = { name = "message", attr = 7, tags = {} };
		["a name that is a table"] = { name = {}, attr = {}, tags = {} };
		["no stanza"] = { name = "query", attr = {}, tags = {} };
		["an iq without type"] = { name = "iq", attr = {}, tags = {} };
		["a child that is a number"] = element(5);
		["a child without name"] = element({ attr = {}, tags = {} });
		["a child that is no UTF-8"] = element("\255");
		["an attribute that is a table"] = { name = "message", attr = { id = {} }, tags = {} };
		["an attribute that is no UTF-8"] = { name = "message", attr = { id = "\255" }, tags = {} };
		["a key that is a table"] = { name = "message", attr = { [{}] = "x" }, tags = {} };
	}) do
		local ok, copy, fault = pcall(copied, host, table);
		check.equal(ok, true, what..": not raised");
		check.equal(copy, nil, what);
		check.equal(type(fault), "string", what);
	end
end);

check.test("depth, number and size have a limit", function ()
	local host = open();
	local function deep(levels)
		local stanza = st.message();
		for _ = 1, levels do stanza:tag("a"); end
		return stanza:reset();
	end
	check.equal(type(copied(host, deep(64))), "table", "64 levels");
	check.equal(select(2, copied(host, deep(65))), "stanza nests too deeply");
	check.equal(select(2, copied(host, deep(5000))), "stanza nests too deeply");
	local wide = st.message();
	for _ = 1, 10001 do wide:tag("a"):up(); end
	check.equal(select(2, copied(host, wide)), "stanza too large");
	check.equal(select(2, copied(host, st.message():text_tag("body", ("x"):rep(1024 * 1024 + 1)))), "stanza too large");
	local endless = st.message();
	table.insert(endless, endless);
	check.equal(select(2, copied(host, endless)), "stanza nests too deeply");
end);

check.test("options are read, and a bad one is said", function ()
	open({ history = 10, linger = math.huge, trust = 0.5, exclude = { "irc.example" } });
	local host, fault = core.open({ history = "many" }, seed, metatable);
	check.equal(host, nil);
	check.equal(fault:match("^bad option: ") ~= nil, true, fault);
end);

check.test("a seed is 32 bytes", function ()
	local host, fault = core.open({}, "short", metatable);
	check.equal(host, nil);
	check.equal(fault, "a seed is 32 bytes");
end);

check.test("a snapshot opens again, and what is none is said", function ()
	local snapshot = open().snapshot();
	assert(core.open({}, seed, metatable, snapshot));
	local host, why = core.open({}, seed, metatable, "no snapshot");
	check.equal(host, nil);
	check.equal(type(why), "string");
	open().close();
end);

check.test("a stanza that is not ours costs no memory", function ()
	local host = open();
	local message = assert(parse("<message type='chat' from='b@h/r' to='a@h'><body>x</body></message>"));
	check.equal(check.garbage(function () host.room_stanza("a@h", "b@h/r", message); end), 0, "from outside");
	check.equal(check.garbage(function () host.client_stanza(1, "a@h", "b@h/r", false, message); end), 0, "to outside");
	check.equal(select("#", host.room_stanza("a@h", "b@h/r", message)), 0, "nothing comes back");
	check.equal(select("#", host.room_stanza(nil, "b@h/r", message, {})), 0, "of a session to its own account");
	check.equal(select("#", host.room_stanza("a@h", nil, message, {})), 0, "of nobody");
end);

check.done();
