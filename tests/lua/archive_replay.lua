-- The log of a room is read for sessions that join.

local check = require "support.check";
local logged_scenes = require "support.logs";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local room, alice, logged = scenes.room, scenes.alice, scenes.logged;
local clock_s, orders = logged_scenes.clock_s, logged_scenes.logs;

local function message(number, said_ms)
	return logged_scenes.log(number, clock_s * 1000 + number, room, said_ms);
end

local function read_log(since_ms)
	return { kind = "read_log", account = alice, room = room, id = "x", since_ms = since_ms };
end

local function new_scene(count, options)
	local scene = logged_scenes.new_scene(options);
	stub.says.logged_rooms = { { room = room, first_ms = 0 } };
	for number = 1, count do orders(scene, message(number)); end
	stub.calls = {};
	return scene;
end

-- What the core is told: when each message was received, counted from the first, its text, and how it goes on.
local function told(scene, action)
	local found = {};
	function stub.says.logged(account, of_room, id, its_id, at_ms, said_ms, stanza)
		check.list({ account, of_room, id, its_id:sub(1, 11) }, { alice, room, "x", ("%011x"):format(at_ms) });
		table.insert(found, ("%d%s %s"):format(at_ms - clock_s * 1000, said_ms and " said" or "", stanza:get_child_text("body")));
	end
	for _, name in ipairs({ "log_pauses", "log_ends", "log_fails" }) do
		stub.says[name] = function (...)
			check.list({ ... }, { alice, room, "x" });
			table.insert(found, name);
		end;
	end
	orders(scene, action or read_log());
	check.equal(#found, 0, "nothing is read in the hook");
	for _ = 1, 5 do scene.module:run_timers(); end
	return table.concat(found, ", ");
end

check.test("h13: the core is told what the account sees, the newest first", function ()
	local scene = new_scene(3);
	orders(scene, message(4, 1));
	function stub.says.sees_logged(_, _, at_ms) return at_ms ~= clock_s * 1000 + 2; end
	check.equal(told(scene), "4 said line 4, 3 line 3, 1 line 1, log_ends");
end);

check.test("h13: no more is read than is wanted", function ()
	local scene = new_scene(200);
	scene.module:run_timers();
	scene.server.archives.read = 0;
	local asked = 0;
	function stub.says.reads_log()
		asked = asked + 1;
		return asked < 2;
	end
	local found = told(scene);
	check.equal(scenes.count({ found }, "log_pauses"), 1);
	check.equal(select(2, found:gsub("line", "")), 120);
	check.equal(found:find("log_ends"), nil);
	check.equal(scene.server.archives.read <= 130, true, scene.server.archives.read.." entries");
end);

check.test("h13: what was received before that time, and what has expired, is not read", function ()
	local scene = new_scene(4);
	check.equal(told(scene, read_log(clock_s * 1000 + 3)), "4 line 4, 3 line 3, log_ends");
	scene = new_scene(4, { minimix_archive_expires = 1 });
	logged_scenes.wait(2);
	local found = told(scene);
	logged_scenes.wait(0);
	check.equal(found, "log_ends");
end);

check.test("a4: nothing is read where the account wants nothing archived", function ()
	local scene = new_scene(2);
	scene.server.stores.data.archive_prefs = { alice = { [room] = false, [false] = true } };
	check.equal(told(scene), "log_ends");
end);

check.test("r7: a store that fails is said, and the core told", function ()
	local scene = new_scene(2);
	scene.module:run_timers();
	scene.server.stores.fails = "disk failed";
	check.equal(told(scene), "log_fails");
	check.equal(logged(scene.server, "The log of a room can't be read: disk failed"), 1);
end);

check.test("h13: a log that is turned off is not read", function ()
	local scene = new_scene(1, { minimix_archive = "off" });
	check.equal(told(scene), "log_fails");
	check.equal(logged(scene.server, "can't be read"), 0);
end);

check.done();
