-- An account asks how many messages there are (XEP-0059 §2.7).

local check = require "support.check";
local logged_scenes = require "support.logs";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local room, clock_s = scenes.room, logged_scenes.clock_s;
local both, with = logged_scenes.both, logged_scenes.with;

local count, every_ms = 3000, 10;
local stays = {
	{ first_ms = 505, last_ms = 2005 }, { first_ms = 2305, last_ms = 2405 }, { first_ms = 9000, last_ms = 12000 };
	{ first_ms = 15995 };
};

local sql = { counts = true, asks_seconds = true };
local postgresql = { counts = true, asks_seconds = true, keeps_seconds = true };

-- Whether the account was in, so many milliseconds after the beginning.
local function is_seen(at_ms)
	for _, stay in ipairs(stays) do
		if at_ms >= stay.first_ms and at_ms <= (stay.last_ms or math.huge) then return true; end
	end
	return false;
end

local function new_scene(stores)
	local scene = logged_scenes.new_scene();
	for name, value in pairs(stores) do scene.server.archives[name] = value; end
	local absolute = {};
	for i, stay in ipairs(stays) do
		absolute[i] = { first_ms = stay.first_ms + clock_s * 1000, last_ms = stay.last_ms and stay.last_ms + clock_s * 1000 };
	end
	stub.says.logged_rooms = { { room = room, first_ms = absolute[1].first_ms } };
	function stub.says.logged_intervals() return absolute; end
	function stub.says.sees_logged(_, _, at_ms) return is_seen(at_ms - clock_s * 1000); end
	logged_scenes.write(scene, count, every_ms);
	scene.server.archives.read = 0;
	return scene;
end

local function count_in(page)
	return tonumber((page.answer:find("{urn:xmpp:mam:2}fin/{http://jabber.org/protocol/rsm}set/count#")));
end

local function counted(scene, fields, set)
	set = set or {};
	set.max = "0";
	return count_in(logged_scenes.asks(scene, fields or both, set));
end

-- How many there are from one second to another.
local function expected(first_s, last_s)
	local seen = 0;
	for number = 1, count do
		local at_ms = number * every_ms;
		if is_seen(at_ms) and at_ms >= first_s * 1000 and at_ms <= last_s * 1000 then seen = seen + 1; end
	end
	return seen;
end

local function time(second) return os.date("!%Y-%m-%dT%H:%M:%SZ", clock_s + second); end

check.test("a3: what an account has seen is counted, whatever the store tells", function ()
	for name, stores in pairs({ internal = {}, sql = sql, postgresql = postgresql }) do
		local scene = new_scene(stores);
		check.equal(counted(scene), expected(0, 99), name);
		for _, range in ipairs({ { 0, 1 }, { 1, 2 }, { 2, 2 }, { 3, 8 }, { 10, 20 }, { 11, 12 }, { 16, 16 }, { 40, 50 } }) do
			local fields = with({ start = time(range[1]), ["end"] = time(range[2]) });
			check.equal(counted(scene, fields), expected(range[1], range[2]), name.." from "..range[1].." to "..range[2]);
		end
		check.equal(counted(scene, with({ start = time(10) })), expected(10, 99), name);
		check.equal(counted(scene, with({ ["end"] = time(10), with = room })), expected(0, 10), name);
	end
end);

check.test("a3: a store that counts is not read but for the seconds in which the account came and went", function ()
	local scene = new_scene(sql);
	counted(scene);
	local read = scene.server.archives.read;
	check.equal(read > 0 and read <= 1200, true, read.." entries");
end);

check.test("a3: a store that does not count is read by one query", function ()
	local scene = new_scene({});
	scene.server.archives.reads = 0;
	counted(scene);
	check.equal(scene.server.archives.reads <= 4, true, scene.server.archives.reads.." queries");
end);

check.test("r7: a store that does not count has no file left open", function ()
	for name, fields in pairs({
		["to a time"] = { ["end"] = time(10) };
		["to a time, of a room"] = { ["end"] = time(10), with = room };
		["to a message"] = { ["before-id"] = logged_scenes.id_of(clock_s * 1000 + 20000, 2000) };
	}) do
		local scene = new_scene({});
		check.equal(counted(scene, with(fields)) > 0, true, name);
		check.equal(scene.server.archives.open, 0, name);
	end
	local scene, den = new_scene({}), logged_scenes.den;
	logged_scenes.logs(scene, logged_scenes.log(1, clock_s * 1000, den));
	scene.module:run_timers();
	stub.says.logged_rooms = { { room = den, first_ms = 0 }, { room = room, first_ms = 0 } };
	for number = count + 1, count + 2 do
		logged_scenes.logs(scene, logged_scenes.log(number, clock_s * 1000 + number * every_ms));
	end
	function stub.says.sees_logged()
		stub.says.sees_logged = nil;
		scene.module:run_timers();
		return true;
	end
	check.equal(counted(scene), count + 3);
	check.equal(scene.server.archives.open, 0, "what waited is written meanwhile");
end);

check.test("a3: what is written while it is counted is not taken off", function ()
	local scene, passed_s, written = new_scene(sql), 0, count;
	local first_ms, last_ms = clock_s * 1000 + stays[1].first_ms, clock_s * 1000 + stays[1].last_ms;
	function stub.says.logged_intervals() return { { first_ms = first_ms, last_ms = last_ms } }; end
	function stub.says.sees_logged(_, _, at_ms)
		passed_s = passed_s + 0.008;
		logged_scenes.wait(passed_s);
		return at_ms >= first_ms and at_ms <= last_ms;
	end
	local page = logged_scenes.asks(scene, with({ with = room }), { max = "0" });
	while not page.answer do
		written = written + 1;
		logged_scenes.logs(scene, logged_scenes.log(written, clock_s * 1000 + written * every_ms));
		scene.module:run_timers();
	end
	logged_scenes.wait(0);
	check.equal(written > count, true);
	check.equal(count_in(page), expected(0, 2.1));
end);

check.test("a3: a log is counted whose first message is written meanwhile", function ()
	local scene = logged_scenes.new_scene();
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	function stub.says.logged_intervals()
		logged_scenes.logs(scene, logged_scenes.log(1, clock_s * 1000 + 1), logged_scenes.log(2, clock_s * 1000 + 2));
		scene.module:run_timers();
		return { { first_ms = clock_s * 1000, last_ms = clock_s * 1000 + 5000 } };
	end
	check.equal(counted(scene), 2);
end);

check.test("r7: a log is not opened of which nothing is asked for", function ()
	local scene = new_scene({});
	scene.server.archives.data.archive = { alice = {} };
	scene.server.archives.reads = 0;
	check.equal(counted(scene, with({ ["end"] = "2020-01-01T00:00:00Z", with = room })), 0);
	check.equal(scene.server.archives.reads <= 3, true, scene.server.archives.reads.." queries");
end);

check.test("r2: if somebody is blocked there, each message is looked at", function ()
	for _, stores in ipairs({ {}, sql }) do
		local scene = new_scene(stores);
		stub.says.logged_intervals = nil;
		function stub.says.sees_logged(_, _, at_ms) return at_ms % 100 == 0; end
		local seen = 0;
		for number = 51, count do
			if number * every_ms % 100 == 0 then seen = seen + 1; end
		end
		check.equal(counted(scene), seen);
	end
end);

check.test("a3: what waits to be written is counted", function ()
	for _, stores in ipairs({ {}, sql }) do
		local scene = new_scene(stores);
		for number = count + 1, count + 5 do
			logged_scenes.logs(scene, logged_scenes.log(number, clock_s * 1000 + number * every_ms));
		end
		check.equal(counted(scene), expected(0, 99) + 5);
	end
end);

check.test("a3: what comes after a message is counted", function ()
	for _, stores in ipairs({ {}, sql }) do
		local scene = new_scene(stores);
		local id = logged_scenes.id_of(clock_s * 1000 + 20000, 2000);
		check.equal(counted(scene, both, { after = id }), 1000);
	end
end);

check.test("a3: others have their turn before a step that would take too long", function ()
	local scene = new_scene(sql);
	local passed_s, began_s, longest_s = 0, 0, 0;
	stub.says.logged_intervals = nil;
	function stub.says.sees_logged()
		passed_s = passed_s + 0.00022; -- 30 entries that are read at once are 6.6 ms
		logged_scenes.wait(passed_s);
		return true;
	end
	local page = logged_scenes.asks(scene, both, { max = "0" });
	while not page.answer do
		longest_s = math.max(longest_s, passed_s - began_s);
		began_s = passed_s;
		scene.module:run_timers();
	end
	logged_scenes.wait(0);
	check.equal(longest_s > 0.006 and longest_s < 0.012, true, longest_s.." s");
end);

check.test("r7: a store that fails is said", function ()
	local scene = new_scene(sql);
	scene.server.stores.fails = "disk failed";
	local answer = logged_scenes.asks(scene, both, { max = "0" }).answer;
	check.equal(answer.attr.type, "error");
	check.equal(scenes.logged(scene.server, "disk failed"), 1);
end);

check.done();
