-- Scenes in which the messages of rooms are logged, and what an account is answered that asks for them.

local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local time = require "util.time";

local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local answer, groupchat = scenes.answer, scenes.groupchat;
local den = "den@rooms.example.org";
local xmlns_mam = "urn:xmpp:mam:2";

local clock_s, passed_s = 1767225600, 0; -- when it begins, and how much later it is
function time.now() return clock_s + passed_s; end

-- So much time has passed since the beginning.
local function wait(seconds) passed_s = seconds; end

local function id_of(at_ms, number) return ("%011x-%016d"):format(at_ms, number); end

local function log(number, at_ms, in_room, said_ms)
	local stanza = st.message({ from = (in_room or room).."/bob", type = "groupchat", id = "m"..number }):body("line "..number);
	return {
		kind = "log", room = in_room or room, id = id_of(at_ms, number), print = "print"..number;
		at_ms = at_ms, said_ms = said_ms, stanza = stanza;
	};
end

local function new_scene(options)
	options = options or {};
	options.minimix_archive = options.minimix_archive or "needed";
	local scene = scenes.new(options);
	scene.server.hosts["example.org"].modules.mam = {};
	return scene;
end

-- The core gives these orders: it has messages logged, or read.
local function logs(scene, ...)
	stub.says.room_stanza = answer(...);
	fake.arrives(scene.server, groupchat());
	stub.says.room_stanza = nil;
end

-- So many messages are logged, and written, one every so many milliseconds.
local function write(scene, count, every_ms)
	for number = 1, count do
		logs(scene, log(number, clock_s * 1000 + number * (every_ms or 1)));
		if number % 1000 == 0 or number == count then scene.module:run_timers(); end
	end
end

local function entries(scene, in_room)
	return (scene.server.archives.data.minimix_log or {})[in_room or room] or {};
end

local function prints(scene, in_room)
	local list = {};
	for _, entry in ipairs(entries(scene, in_room)) do table.insert(list, st.deserialize(entry.value).attr.print); end
	return table.concat(list, " ");
end

local function form(fields)
	local x = st.stanza("x", { xmlns = "jabber:x:data", type = "submit" });
	x:tag("field", { var = "FORM_TYPE" }):text_tag("value", xmlns_mam):up();
	for var, value in pairs(fields) do x:tag("field", { var = var }):text_tag("value", value):up(); end
	return x;
end

-- What is answered to a query: the texts, the ids, the stamps, the last stanza, and whether the hook took it.
local function asks(scene, fields, set, is_flipped)
	local query = st.iq({ type = "set", id = "q", from = alice.."/phone" })
		:tag("query", { xmlns = xmlns_mam, queryid = "x" }):add_child(form(fields));
	if set then
		query:tag("set", { xmlns = "http://jabber.org/protocol/rsm" });
		for name, value in pairs(set) do query:text_tag(name, value); end
		query:up();
	end
	if is_flipped then query:tag("flip-page"):up(); end
	query:reset();
	local page, texts = { ids = {}, stamps = {} }, {};
	local origin = { username = "alice", type = "c2s" };
	function origin.send(stanza)
		local result = stanza:get_child("result", xmlns_mam);
		if not result then
			page.answer = stanza;
			return;
		end
		table.insert(page.ids, result.attr.id);
		table.insert(page.stamps, (result:find("{urn:xmpp:forward:0}forwarded/{urn:xmpp:delay}delay@stamp")));
		page.to = result:find("{urn:xmpp:forward:0}forwarded/{jabber:client}message@to");
		table.insert(texts, (result:find("{urn:xmpp:forward:0}forwarded/{jabber:client}message/body#")));
	end
	require "util.async".runner(function ()
		page.is_taken = fake.fires(scene.server, "iq-set/self/"..xmlns_mam..":query", { origin = origin, stanza = query });
	end):run(true);
	page.texts = table.concat(texts, ",");
	return page;
end

local both = { ["include-groupchat"] = "true" };
local function with(fields)
	fields["include-groupchat"] = "true";
	return fields;
end

return {
	den = den, xmlns_mam = xmlns_mam, clock_s = clock_s, id_of = id_of, log = log, new_scene = new_scene, logs = logs;
	wait = wait, write = write, entries = entries, prints = prints, asks = asks, both = both, with = with;
};
