-- The logs of rooms: what is written into them, and when (XEP-0313).

local check = require "support.check";
local fake = require "support.prosody";
local logged_scenes = require "support.logs";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local st = fake.st;
local room, alice, logged = scenes.room, scenes.alice, scenes.logged;
local den = logged_scenes.den;
local clock_s = logged_scenes.clock_s;
local log = logged_scenes.log;
local new_scene = logged_scenes.new_scene;
local logs = logged_scenes.logs;
local write = logged_scenes.write;
local entries = logged_scenes.entries;
local prints = logged_scenes.prints;
local asks = logged_scenes.asks;
local both = logged_scenes.both;

check.test("a1: a message is written behind, with its id and when it was received", function ()
	local scene = new_scene();
	local action = log(1, 1767225600123);
	logs(scene, action, { kind = "relay", sessions = { 1 }, ids = { true } });
	check.equal(#entries(scene), 0, "in the hook");
	check.equal(#scene.phone.received, 1);
	scene.module:run_timers();
	local entry = entries(scene)[1];
	local value = st.deserialize(entry.value);
	check.list({ value.attr.id, value.attr.print, value.attr.at }, { action.id, "print1", "1767225600123" });
	check.equal(entry.when, 1767225600.123);
	check.equal(value.tags[1]:get_child_text("body"), "line 1");
end);

check.test("a1: what waits is written before a reload, and told before it is written", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600123));
	stub.says.snapshot = "all";
	scene.module.save();
	check.equal(#entries(scene), 1);
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	logs(scene, log(2, 1767225600124));
	check.equal(asks(scene, both).texts, "line 1,line 2");
	local page = asks(scene, both, { before = "" });
	check.list({ page.texts, page.to }, { "line 1,line 2", alice });
	check.equal(#entries(scene), 1, "a page waits for nothing");
	scene.module:run_timers();
	check.equal(#entries(scene), 2);
	check.equal(st.deserialize(entries(scene)[2].value).tags[1].attr.to, nil, "what is written is not changed");
	check.equal(asks(scene, both).texts, "line 1,line 2");
end);

check.test("a1: what is written while a page is read is told once", function ()
	for _, case in ipairs({ { 36, { max = "50", before = "" } }, { 40, { max = "50" } } }) do
		local scene = new_scene();
		stub.says.logged_rooms = { { room = room, first_ms = 0 } };
		local written, wanted = case[1], {};
		write(scene, written);
		for number = written + 1, written + 5 do logs(scene, log(number, clock_s * 1000 + number)); end
		for number = 1, written + 5 do wanted[number] = "line "..number; end
		function stub.says.sees_logged()
			stub.says.sees_logged = nil;
			logs(scene, log(99, clock_s * 1000 + 99));
			scene.module:run_timers();
			check.equal(#entries(scene), written + 6);
			return true;
		end
		check.equal(asks(scene, both, case[2]).texts, table.concat(wanted, ","));
	end
end);

check.test("r7: not more than so many messages wait to be written", function ()
	local scene = new_scene();
	for number = 1, 10010 do logs(scene, log(number, clock_s * 1000 + number)); end
	check.equal(logged(scene.server, "Too many messages of rooms wait"), 1);
	scene.module:run_timers();
	check.equal(prints(scene):match("%S+$"), "print10000");
end);

check.test("a1: of what waits, the past that was there before is not told twice", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600001));
	scene.module:run_timers();
	local data = scene.server.archives.data;
	scene = new_scene();
	scene.server.archives.data = data;
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	logs(scene, log(1, 1767225600009, room, 1767225600001), log(2, 1767225600009, room, 1767225600002));
	check.equal(asks(scene, both).texts, "line 1,line 2");
end);

local function settled()
	local calls = {};
	for _, call in ipairs(stub.calls) do
		if call:find("^log_settled ") then table.insert(calls, call); end
	end
	return calls;
end

check.test("a4: the core is told under which id a message of the past is in the log", function ()
	local scene = new_scene();
	local before, again = log(1, 1767225600001), log(1, 1767225600009, room, 1767225600001);
	local past, live = log(2, 1767225600010, room, 1767225600002), log(3, 1767225600011);
	again.id = again.id.."0";
	logs(scene, before);
	scene.module:run_timers();
	stub.calls = {};
	logs(scene, again, past, live);
	scene.module:run_timers();
	check.list(settled(), {
		("log_settled %s %s %s"):format(room, again.id, before.id), ("log_settled %s %s %s"):format(room, past.id, past.id);
	});
	stub.calls = {};
	scene.server.stores.fails = "disk full";
	logs(scene, log(4, 1767225600012, room, 1767225600003));
	scene.module:run_timers();
	check.equal(#settled(), 0, "what is not written is not in the log");
end);

check.test("a4: what is written at a reload is told before the snapshot is taken", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600009, room, 1767225600001));
	stub.says.snapshot, stub.calls = "all", {};
	scene.module.save();
	check.equal(#settled(), 1);
	check.equal(stub.calls[#stub.calls], "snapshot ");
end);

check.test("r7: a full store holds no message up; it is said once", function ()
	local scene = new_scene();
	scene.server.stores.fails = "disk full";
	for number = 1, 3 do
		logs(scene, log(number, 1767225600000 + number), { kind = "relay", sessions = { 1 }, ids = { true } });
		scene.module:run_timers();
	end
	check.equal(#scene.phone.received, 3);
	check.equal(logged(scene.server, "can't be archived"), 1);
	scene.server.stores.fails = nil;
	logs(scene, log(4, 1767225600004));
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(prints(scene), "print4");
end);

check.test("r7: a log whose last entry is not finished is written anew", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600001), log(2, 1767225600002));
	scene.module:run_timers();
	scene.server.archives.is_torn = true;
	logs(scene, log(3, 1767225600003), log(4, 1767225600004));
	scene.module:run_timers();
	check.equal(prints(scene), "print1 print2 print3 print4");
	check.equal(entries(scene)[2].when, 1767225600.002);
	check.equal(scene.server.archives.deletes, 1);
	check.equal(logged(scene.server, "can't be archived"), 0);
	check.equal(logged(scene.server, "written anew"), 1);
end);

check.test("r7: a full store has nothing deleted", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600001));
	scene.module:run_timers();
	scene.server.archives.is_full = true;
	logs(scene, log(2, 1767225600002));
	scene.module:run_timers();
	check.equal(scene.server.archives.deletes, 0);
	check.equal(prints(scene), "print1");
end);

check.test("r7: of too many messages the oldest go", function ()
	local scene = new_scene();
	write(scene, 10600);
	check.equal(#entries(scene) <= 10500 and #entries(scene) >= 10000, true, tostring(#entries(scene)));
	check.equal(st.deserialize(entries(scene)[#entries(scene)].value).attr.print, "print10600");
	scene = new_scene();
	scene.server.archives.limit = 9500;
	scene.server.archives.caps.quota = 9500;
	write(scene, 9600);
	check.equal(#entries(scene), 9100);
	check.equal(scene.server.archives.deletes, 1, "only when the store takes no more");
end);

check.test("a1: after a start the past that comes again is not written again", function ()
	local scene = new_scene();
	logs(scene, log(1, 1767225600001), log(2, 1767225600002));
	scene.module:run_timers();
	local data = scene.server.archives.data;
	scene = new_scene();
	scene.server.archives.data = data;
	logs(scene, log(2, 1767225600009, room, 1767225600002), log(3, 1767225600009, room, 1767225600003));
	scene.module:run_timers();
	check.equal(prints(scene), "print1 print2 print3");
end);

check.test("r7: expired messages go", function ()
	local scene = new_scene({ minimix_archive_expires = 3600 });
	local now_ms = os.time() * 1000;
	logs(scene, log(1, now_ms - 4000 * 1000), log(2, now_ms), log(3, now_ms - 4000 * 1000, den));
	scene.module:run_timers();
	require "util.async".runner(scene.server.daily):run(true);
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(prints(scene), "print2");
	check.equal(prints(scene, den), "");
end);

check.done();
