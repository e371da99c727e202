-- What accounts are answered that ask for the logs of rooms (XEP-0313).

local check = require "support.check";
local fake = require "support.prosody";
local logged_scenes = require "support.logs";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local st = fake.st;
local room, alice, logged = scenes.room, scenes.alice, scenes.logged;
local den = logged_scenes.den;
local xmlns_mam = logged_scenes.xmlns_mam;
local clock_s = logged_scenes.clock_s;
local id_of = logged_scenes.id_of;
local log = logged_scenes.log;
local new_scene = logged_scenes.new_scene;
local logs = logged_scenes.logs;
local write = logged_scenes.write;
local entries = logged_scenes.entries;
local asks = logged_scenes.asks;
local both = logged_scenes.both;
local with = logged_scenes.with;

local function chats(scene, from_s, count)
	local data = scene.server.archives.data;
	data.archive = data.archive or {};
	data.archive.alice = data.archive.alice or {};
	for number = 1, count do
		local message = st.message({ from = "bob@example.net/desk", to = alice, type = "chat" }):body("chat "..number);
		table.insert(data.archive.alice,
			{ key = "chat-"..number, value = st.preserialize(message), when = from_s + number, with = "bob@example.net" });
	end
end

-- Two rooms and the account's own archive, some of whose messages have come in the same second. Of the rooms' messages so
-- many are written.
local function full_scene(written, stores)
	local scene = new_scene();
	for name, value in pairs(stores or {}) do scene.server.archives[name] = value; end
	stub.says.logged_rooms = { { room = den, first_ms = 0 }, { room = room, first_ms = 0 } };
	for number = 1, 90 do
		local at_ms, in_den_ms = clock_s * 1000 + number * 1000 // 2, clock_s * 1000 + number * 1000 // 3;
		logs(scene, log(number, at_ms), log(100 + number, in_den_ms, den));
		if number == (written or 90) then
			for _ = 1, 3 do scene.module:run_timers(); end
		end
	end
	chats(scene, clock_s, 40);
	return scene;
end

local function check_pages(scene)
	local all = {};
	local after;
	repeat
		local page = asks(scene, both, { max = "50", after = after });
		for _, id in ipairs(page.ids) do table.insert(all, id); end
		after = page.ids[#page.ids];
	until page.answer:find("{urn:xmpp:mam:2}fin@complete");
	check.equal(#all, 220);
	local whole = table.concat(all, " ");
	for _, max in ipairs({ "1", "7", "49" }) do
		local forward, backward = {}, {};
		local place;
		repeat
			local page = asks(scene, both, { max = max, after = place });
			for _, id in ipairs(page.ids) do table.insert(forward, id); end
			place = page.ids[#page.ids];
		until page.answer:find("{urn:xmpp:mam:2}fin@complete");
		check.equal(table.concat(forward, " "), whole, "forwards by "..max);
		place = "";
		repeat
			local page = asks(scene, both, { max = max, before = place });
			for i = #page.ids, 1, -1 do table.insert(backward, 1, page.ids[i]); end
			place = page.ids[1];
		until page.answer:find("{urn:xmpp:mam:2}fin@complete");
		check.equal(table.concat(backward, " "), whole, "backwards by "..max);
	end
end

for kind, stores in pairs({ ["internal storage"] = {}, SQLite = { asks_seconds = true },
	PostgreSQL = { asks_seconds = true, keeps_seconds = true } }) do
	check.test("a4: pages of any size, in both directions, are the whole archive in one order: "..kind, function ()
		for _, written in ipairs({ 60, 0 }) do check_pages(full_scene(written, stores)); end
		local scene = full_scene(90, stores);
		local late = asks(scene, with({ start = "2100-01-01T00:00:00Z" }));
		check.list({ #late.ids, late.answer.attr.type }, { 0, "result" });
		check.equal(#asks(scene, with({ ["end"] = "2100-01-01T00:00:00Z", start = "1901-01-01T00:00:00Z" })).ids, 20);
		local early = asks(scene, with({ ["end"] = "1901-01-01T00:00:00Z" }), { before = "" });
		check.list({ #early.ids, early.answer.attr.type }, { 0, "result" });
	end);
end

check.test("a3: a page between two messages, flipped, and by ids", function ()
	local scene = full_scene();
	local all = asks(scene, both, { max = "20" }).ids;
	local between = asks(scene, with({ ["after-id"] = all[3], ["before-id"] = all[9] }));
	check.equal(table.concat(between.ids, " "), table.concat(all, " ", 4, 8));
	local flipped = asks(scene, both, { max = "2" }, true);
	check.list(flipped.ids, { all[2], all[1] });
	check.equal(flipped.answer:find("{urn:xmpp:mam:2}fin/{http://jabber.org/protocol/rsm}set/first#"), all[1]);
	check.list(asks(scene, with({ ids = all[5] })).ids, { all[5] });
end);

check.test("a3: the metadata tell the first and the last message of both kinds, and are mod_mam's where it has both", function ()
	local scene = full_scene();
	local told;
	local origin = { username = "alice", send = function (stanza) told = stanza; end };
	local function metadata()
		told = nil;
		require "util.async".runner(function ()
			fake.fires(scene.server, "iq-get/self/"..xmlns_mam..":metadata",
				{ origin = origin, stanza = st.iq({ type = "get", id = "q" }):tag("metadata", { xmlns = xmlns_mam }):reset() });
		end):run(true);
		return told and { told:find("{urn:xmpp:mam:2}metadata/start@id"), told:find("{urn:xmpp:mam:2}metadata/end@id") };
	end
	local first, last = asks(scene, both, { max = "1" }), asks(scene, both, { max = "1", before = "" });
	check.list(metadata(), { first.ids[1], last.ids[1] });
	check.equal(told:find("{urn:xmpp:mam:2}metadata/start@timestamp"), first.stamps[1]);
	stub.says.logged_rooms = {};
	check.equal(metadata(), nil);
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	scene.server.archives.data.archive.alice = nil;
	check.equal(metadata()[1] ~= nil, true, "nothing but rooms");
end);

check.test("a4: the time that is told of a message is within a range that begins or ends with it", function ()
	local scene = new_scene();
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	logs(scene, log(1, clock_s * 1000 + 629), log(2, clock_s * 1000 + 631));
	chats(scene, clock_s - 1 + 0.6301237, 1);
	local all = asks(scene, both);
	check.equal(all.texts, "line 1,chat 1,line 2");
	check.equal(all.stamps[1], "2026-01-01T00:00:00.629000Z");
	for i, text in ipairs({ "line 1", "chat 1", "line 2" }) do
		check.equal(asks(scene, with({ start = all.stamps[i], ["end"] = all.stamps[i] })).texts, text);
	end
	check.equal(asks(scene, with({ start = "2026-01-01T00:00:00.630200Z" })).texts, "line 2");
	check.equal(asks(scene, with({ ["end"] = "2026-01-01T00:00:00.630100Z" })).texts, "line 1");
end);

check.test("a4: with an occupant there is nothing of the others", function ()
	local scene = new_scene();
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	logs(scene, log(1, clock_s * 1000 + 1), log(2, clock_s * 1000 + 2));
	check.equal(asks(scene, with({ with = room.."/bob" })).texts, "line 1,line 2");
	check.equal(asks(scene, with({ with = room.."/ann" })).texts, "");
end);

check.test("a2: a query that does not ask for groupchat is not ours", function ()
	local scene = full_scene();
	for _, fields in ipairs({ {}, { ["include-groupchat"] = "false" }, { ["include-groupchat"] = "x" } }) do
		local page = asks(scene, fields);
		check.equal(page.is_taken, nil);
		check.equal(page.answer, nil);
	end
	scene.server.hosts["example.org"].modules.mam = nil;
	check.equal(asks(scene, both).is_taken, nil, "without mod_mam");
end);

check.test("a1: only what the account sees is told, and nothing that has expired", function ()
	local scene = new_scene({ minimix_archive_expires = 100 });
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	function stub.says.sees_logged(account, from, at_ms, said_ms)
		check.list({ account, from }, { alice, room.."/bob" });
		return at_ms ~= clock_s * 1000 + 2 and said_ms ~= 5;
	end
	logs(scene, log(1, (clock_s - 200) * 1000), log(2, clock_s * 1000 + 2), log(3, clock_s * 1000 + 3),
		log(4, clock_s * 1000 + 4, room, 5));
	check.equal(asks(scene, both).texts, "line 3");
	check.equal(asks(scene, with({ ["after-id"] = id_of(clock_s * 1000 + 2, 2) })).texts, "");
end);

check.test("a4: with a room, with a contact, and as the preferences say", function ()
	local scene = full_scene();
	check.equal(#asks(scene, with({ with = room }), { max = "50" }).ids, 50);
	check.equal(#asks(scene, with({ with = "bob@example.net" }), { max = "50" }).ids, 40);
	check.equal(#asks(scene, with({ with = "nobody@example.net" })).ids, 0);
	scene.server.archives.data.archive.alice[7].with = "ann@example.net";
	local page = asks(scene, with({ with = "bob@example.net" }), { after = "chat-7", max = "2" });
	check.equal(page.texts, "chat 8,chat 9", "after one of somebody else");
	scene.server.stores.data.archive_prefs = { alice = { [room] = false, [den] = false, [false] = true } };
	check.equal(#asks(scene, both, { max = "50" }).ids, 40, "never of these rooms");
	scene.server.stores.data.archive_prefs = nil;
	stub.says.logged_rooms = { { room = room, first_ms = (clock_s + 10) * 1000, last_ms = (clock_s + 20) * 1000 } };
	check.equal(#asks(scene, with({ with = room }), { max = "50" }).ids, 21, "while the account was in");
end);

check.test("a3: messages are counted, and what can't be is an error", function ()
	local scene = full_scene();
	local counted = asks(scene, both, { max = "0" });
	check.equal(counted.answer:find("{urn:xmpp:mam:2}fin/{http://jabber.org/protocol/rsm}set/count#"), "220");
	check.equal(#asks(scene, both, { max = "1000000000" }).ids, 50);
	for condition, fields in pairs({
		["item-not-found"] = { ["after-id"] = "nobody" };
		["bad-request"] = { start = "yesterday" };
		["feature-not-implemented"] = { subject = "Tea" };
	}) do
		local page = asks(scene, with(fields));
		check.equal(select(2, page.answer:get_error()), condition);
		check.equal(#page.ids, 0);
	end
	for _, date in ipairs({ "2026-13-01T00", "2026-01-32T00", "2026-01-01T25", "2026-02-30T00", "2100-02-29T00" }) do
		check.equal(select(2, asks(scene, with({ ["end"] = date..":00:00Z" })).answer:get_error()), "bad-request", date);
	end
	check.equal(select(2, asks(scene, with({ ["end"] = "2026-01-01T00:60:00Z" })).answer:get_error()), "bad-request");
	for _, date in ipairs({ "2026-02-28", "2024-02-29", "2000-02-29" }) do
		check.equal(asks(scene, with({ start = date.."T00:00:00Z" })).answer.attr.type, "result", date);
	end
	scene.server.stores.fails = "disk failed";
	check.equal(select(2, asks(scene, both).answer:get_error()), "internal-server-error");
end);

check.test("a page of a large log reads little of it", function ()
	local scene = new_scene();
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	write(scene, 9900, 1000);
	local middle, late = id_of((clock_s + 5000) * 1000, 5000), id_of((clock_s + 7000) * 1000, 7000);
	for _, case in ipairs({
		{ with({ ["after-id"] = middle }), { max = "50" }, first = 5001 };
		{ both, { max = "50", before = middle }, first = 4950 };
		{ with({ ["before-id"] = late, ["after-id"] = middle }), { max = "50", before = "" }, first = 6950 };
		{ both, { max = "50", before = "" }, first = 9851 };
	}) do
		scene.server.archives.read = 0;
		local page = asks(scene, case[1], case[2]);
		check.equal(#page.ids, 50);
		check.equal(page.texts:match("^line %d+"), "line "..case.first);
		check.equal(scene.server.archives.read <= 70, true, scene.server.archives.read.." entries");
	end
end);

check.test("a page of many logs reads little of each", function ()
	local scene = new_scene();
	stub.says.logged_rooms = {};
	for number = 1, 20 do
		local in_room = "room"..number.."@rooms.example.org";
		table.insert(stub.says.logged_rooms, { room = in_room, first_ms = 0 });
		for line = 1, 100 do logs(scene, log(line, (clock_s + line) * 1000 + number, in_room)); end
	end
	scene.module:run_timers();
	scene.server.archives.read = 0;
	local page = asks(scene, both, { max = "50", before = "" });
	check.equal(page.texts:match("^line %d+"), "line 98");
	check.equal(scene.server.archives.read <= 20 * 7, true, scene.server.archives.read.." entries");
end);

check.test("a4: what mod_mam has archived within the same millisecond comes first, and keeps its time", function ()
	local scene = new_scene();
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	logs(scene, log(1, clock_s * 1000 + 942));
	chats(scene, clock_s - 1 + 0.94207, 1);
	check.equal(asks(scene, both).texts, "chat 1,line 1");
end);

check.test("a4: where the store keeps seconds alone, the ids of mod_mam tell the order", function ()
	local in_ms, in_fractions = clock_s * 1000 + 600, clock_s * 4096 + math.floor(0.6 * 4096);
	for _, number in ipairs({ in_ms, in_fractions }) do
		local scene = new_scene();
		stub.says.logged_rooms = { { room = room, first_ms = 0 } };
		logs(scene, log(1, clock_s * 1000 + 500), log(2, clock_s * 1000 + 700));
		chats(scene, clock_s - 1, 1);
		local id = ("%012x-7abc-9def-0123456789ab"):format(number):gsub("^(%x%x%x%x%x%x%x%x)", "%1-");
		scene.server.archives.data.archive.alice[1].key = id;
		local all = asks(scene, both);
		check.equal(all.texts, "line 1,chat 1,line 2");
		check.equal(all.stamps[1] < all.stamps[2] and all.stamps[2] < all.stamps[3], true, all.stamps[2]);
		check.equal(asks(scene, both, { after = id }).texts, "line 2");
	end
end);

check.test("a3: it can be turned on and off while the module runs", function ()
	local options = { minimix_archive = "off" };
	local scene = new_scene(options);
	for _, archive in ipairs({ "needed", "off" }) do
		options.minimix_archive = archive;
		scene.server.events.fire_event("config-reloaded");
		stub.says.logged_rooms = { { room = room, first_ms = 0 } };
		logs(scene, log(1, clock_s * 1000));
		check.equal(asks(scene, both).is_taken, archive == "needed" or nil);
		check.equal(logged(scene.server, "failed"), 0);
		scene.module:run_timers();
	end
	check.equal(#entries(scene), 2);
end);

check.test("a3: the form and the features tell of it, unless there is no archive", function ()
	for _, archive in ipairs({ "needed", "off" }) do
		local scene = new_scene({ minimix_archive = archive });
		local reply = st.stanza("query");
		fake.fires(scene.server, "account-disco-info", { reply = reply });
		check.equal(#reply.tags, archive == "off" and 0 or 2);
		local told;
		local origin = { username = "alice", send = function (stanza) told = stanza; end };
		fake.fires(scene.server, "iq-get/self/"..xmlns_mam..":query",
			{ origin = origin, stanza = st.iq({ type = "get", id = "q" }):query(xmlns_mam):reset() });
		check.equal(told ~= nil and tostring(told):find("include%-groupchat") ~= nil, archive ~= "off");
	end
end);

check.done();
