-- What waits for rooms, and for whom: rooms that make a send wait, raise an error, or never return.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";
local places = require "support.waiting_rooms";

local st = fake.st;
local answer, logged = scenes.answer, scenes.logged;
local alice, bob, one, two, three = places.alice, places.bob, places.one, places.two, places.three;
local new_scene, made, sends, says, check_all_go = places.new_scene, places.made, places.sends, places.says, places.check_all_go;

scenes.test("a message that has to wait delays that account in that room only, and keeps the order", function ()
	local scene = new_scene();
	scene.slow = { [one] = true };
	check.equal(says(scene, scene.phone, one, "1"), false, "its session waits, as in stock Prosody");
	scene.slow = {};
	local returned, second = says(scene, scene.desk, one, "2");
	check.equal(returned, true);
	check.equal(second.attr.from, scene.desk.full_jid, "given back");
	sends(scene, scene.desk, answer(made(alice, one, "3"), made(alice, two, "other")));
	says(scene, scene.desk, one, "4");
	check.list(scene.sent, { alice.." "..two.." other" });
	check_all_go(scene, { { alice, two }, { alice, three }, { bob, one }, { bob, two }, { bob, three } });
	scene.waiting[1]();
	scene.module:run_timers();
	local own = alice.." "..one.." ";
	check.list(scene.sent, { own.."1", own.."2", own.."3", own.."4" });
	check.equal(logged(scene.server, "^warn "), 0);
	check_all_go(scene, { { alice, one } });
end);

scenes.test("what the core says has to wait: no session does, and all other queues go", function ()
	local scene = new_scene();
	scene.slow = { [one] = true };
	local actions = answer(made(alice, one, "1"), made(alice, two, "2"), made(bob, one, "3"), made(bob, three, "4"));
	check.equal(sends(scene, scene.phone, actions), true);
	check.list(scene.sent, { alice.." "..two.." 2", bob.." "..three.." 4" });
	scene.slow = {};
	check_all_go(scene, { { alice, two }, { alice, three }, { bob, two }, { bob, three } });
	scene.waiting[2]();
	scene.waiting[1]();
	check.list(scene.sent, { bob.." "..one.." 3", alice.." "..one.." 1" });
end);

scenes.test("a room may make wait what comes by the timer, too", function ()
	local scene = new_scene();
	scene.slow = { [one] = true };
	stub.says.room_stanza = answer(made(alice, one, "1"), made(alice, two, "2"), made(bob, two, "3"));
	fake.arrives(scene.server, scenes.groupchat());
	check.equal(#scene.sent, 0, "within the hook");
	scene.module:run_timers();
	check.list(scene.sent, { alice.." "..two.." 2", bob.." "..two.." 3" });
	scene.waiting[1]();
	check.equal(scene.sent[3], alice.." "..one.." 1");
end);

scenes.test("what the core says when it is woken goes soon", function ()
	local scene = new_scene();
	stub.says.wake = answer(made(alice, one, "1"));
	scene.module.ready();
	check.equal(#scene.sent, 0);
	scene.module:run_timers();
	check.list(scene.sent, { alice.." "..one.." 1" });
end);

scenes.test("what is behind a send that never returns goes after a minute, once", function ()
	local scene = new_scene();
	scene.module.timers = {};
	scene.slow = { [one] = true };
	says(scene, scene.phone, one, "1");
	scene.slow = {};
	says(scene, scene.desk, one, "2");
	says(scene, scene.desk, one, "3");
	check.equal(#scene.module.timers, 1);
	check.equal(scene.module.timers[1].delay, 60);
	check.equal(#scene.sent, 0);
	scene.module:run_timers();
	local own = alice.." "..one.." ";
	check.list(scene.sent, { own.."2", own.."3" });
	check.equal(logged(scene.server, "^warn "), 1);
	says(scene, scene.desk, one, "4");
	check.equal(scene.sent[3], own.."4", "the room goes on");
	scene.waiting[1]();
	check.equal(scene.sent[4], own.."1", "or it returns after all");
	says(scene, scene.desk, one, "5");
	check.equal(#scene.sent, 5);
end);

scenes.test("two sends that were given up, and return, send nothing twice or out of order", function ()
	local scene = new_scene();
	scene.slow = { [one] = true };
	sends(scene, scene.phone, answer(made(alice, one, "1")));
	sends(scene, scene.desk, answer(made(alice, one, "2")));
	scene.module:run_timers(); -- "2" waits as well
	says(scene, scene.desk, one, "3");
	says(scene, scene.desk, one, "4");
	scene.slow = {};
	local own = alice.." "..one.." ";
	scene.waiting[1]();
	check.list(scene.sent, { own.."1" }, "what comes after the second waits for that");
	scene.waiting[2]();
	check.list(scene.sent, { own.."1", own.."2", own.."3", own.."4" });
end);

scenes.test("a send that raises an error is logged, and what is behind it goes", function ()
	local scene = new_scene();
	check.equal(sends(scene, scene.phone, answer(made(alice, one, "bad"), made(alice, one, "2"), made(alice, two, "3"))), true);
	check.list(scene.sent, { alice.." "..one.." 2", alice.." "..two.." 3" });
	local returned, stanza = says(scene, scene.phone, one, "bad");
	check.equal(returned, true);
	check.equal(stanza.attr.from, scene.phone.full_jid);
	check.equal(logged(scene.server, "^error .*no such room"), 2);
	scene.slow = { [one] = true };
	says(scene, scene.phone, one, "bad");
	says(scene, scene.desk, one, "4");
	scene.slow = {};
	scene.waiting[1]();
	scene.module:run_timers();
	check.equal(scene.sent[3], alice.." "..one.." 4");
	check_all_go(scene, { { alice, one }, { bob, one } });
end);

scenes.test("a drop is about one account in one room, and not about what sessions say themselves", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer(
		made(alice, one, "1"), made(alice, two, "2"), made(bob, one, "3"),
		{ kind = "send_as", from = alice.."/phone", stanza = st.presence({ to = one.."/me", id = "4" }) },
		made(alice, one, "5"), { kind = "drop", account = alice, room = one },
		{ kind = "drop", account = bob, room = three }, made(alice, one, "6")
	);
	fake.arrives(scene.server, scenes.groupchat());
	scene.module:run_timers();
	check.list(scene.sent, { alice.."/phone "..one.." 4", alice.." "..one.." 6", alice.." "..two.." 2", bob.." "..one.." 3" });
	check_all_go(scene, { { alice, one } });
end);

scenes.test("a drop is not about what comes after it", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer(made(alice, one, "1"), made(alice, one, "2"), { kind = "drop", account = alice, room = one });
	fake.arrives(scene.server, scenes.groupchat());
	scene.slow = { [one] = true };
	says(scene, scene.phone, one, "3");
	scene.slow = {};
	sends(scene, scene.desk, answer(made(alice, one, "4")));
	scene.waiting[1]();
	scene.module:run_timers();
	check.list(scene.sent, { alice.." "..one.." 3", alice.." "..one.." 4" });
end);

scenes.test("what waits for one room has a limit in memory, and who says more is told", function ()
	local scene = new_scene();
	scene.slow = { [one] = true };
	says(scene, scene.phone, one, "1");
	scene.slow = {};
	local lines, long = 0, ("x"):rep(10000);
	while #scene.desk.received == 0 do
		lines = lines + 1;
		says(scene, scene.desk, one, lines..long);
	end
	check.equal(lines > 1400 and lines < 1600, true, lines.." long lines");
	check.equal(scene.desk.received[1]:find("resource-constraint", 1, true) ~= nil, true);
	sends(scene, scene.desk, answer(made(alice, one, "more"..long)));
	check.equal(logged(scene.server, "^error Too much waits for a room"), 1);
	check_all_go(scene, { { alice, two }, { bob, one } });
	scene.waiting[1]();
	scene.module:run_timers();
	check.equal(#scene.sent, lines);
	says(scene, scene.desk, one, "space again");
	check.equal(#scene.sent, lines + 1);
end);

scenes.test("nothing is kept of a queue that is empty", function ()
	local scene = new_scene();
	stub.records = false;
	function scene.server.send() end
	local function bytes_after(count)
		for i = 1, count do
			says(scene, scene.phone, "room"..count.."-"..i.."@rooms");
			sends(scene, scene.phone, answer(made(alice, "room"..count.."-"..i.."@rooms", "1")));
		end
		collectgarbage();
		collectgarbage();
		return collectgarbage("count") * 1024;
	end
	local before = bytes_after(100);
	check.equal(bytes_after(1000) - before < 50000, true, "less than 50 bytes a room");
end);

-- A send has not returned, and something waits behind it.
local function held_up()
	local scene = new_scene();
	stub.says.snapshot = "all that matters";
	scene.slow = { [one] = true };
	says(scene, scene.phone, one, "1");
	scene.slow = {};
	sends(scene, scene.desk, answer(made(alice, one, "2"), { kind = "forward", id = true }), one, "3");
	check.equal(#scene.sent, 0);
	return scene, { alice.." "..one.." 2", alice.." "..one.." 3" };
end

scenes.test("a reload waits for no send, and loses nothing behind one", function ()
	local scene, behind = held_up();
	local old = scene.module;
	scene.module = fake.reload(scene.server, old);
	check.list(scene.sent, behind);
	check_all_go(scene, { { alice, one }, { alice, two }, { bob, one } });
	scene.waiting[1]();
	check.list(scene.sent, { alice.." "..one.." 1" });
	old:run_timers();
	scene.module:run_timers();
	check.equal(#scene.sent, 1, "nothing goes twice");
end);

scenes.test("an unload and a stop do not either; what they say goes last", function ()
	for what, ends in pairs({
		hand_back = function (scene) scene.module.unload(); end;
		shutdown = function (scene) scene.server.events.fire_event("server-stopping"); end;
	}) do
		local scene, expected = held_up();
		stub.says[what] = answer(made(alice, one, "leave"), made(bob, two, "leave"));
		ends(scene);
		table.sort(scene.sent);
		table.insert(expected, alice.." "..one.." leave");
		table.insert(expected, bob.." "..two.." leave");
		check.list(scene.sent, expected, what);
		scene.waiting[1]();
		check.equal(#scene.sent, 5, what);
	end
end);

scenes.test("an end does not wait for a room that makes its own leaves wait", function ()
	local scene = new_scene();
	stub.says.shutdown = answer(made(alice, one, "1"), made(alice, two, "2"), made(bob, one, "3"), made(bob, two, "4"));
	scene.slow = { [one] = true };
	scene.server.events.fire_event("server-stopping");
	check.list(scene.sent, { alice.." "..two.." 2", bob.." "..two.." 4" });
end);

-- How many instructions of Lua something takes.
local function steps(work)
	local count = 0;
	debug.sethook(function () count = count + 1; end, "", 100);
	work();
	debug.sethook();
	return count;
end

-- Ten times as much takes ten times as long.
local function check_linear(what, work_of, least)
	local few, many = steps(work_of(least)), steps(work_of(least * 10));
	check.equal(few > 10, true, what..": enough to be counted");
	check.equal(many < few * 12, true, ("%s: %d for %d, %d for %d"):format(what, few, least, many, least * 10));
end

local function room(i) return ("room%d@rooms"):format(i); end

scenes.test("work grows with what is there, not with its square", function ()
	local function stop_with(action_of)
		return function (count)
			local scene = new_scene();
			local actions = {};
			for i = 1, count do action_of(actions, i); end
			stub.says.shutdown = { handled = true, actions = actions };
			return function ()
				scene.server.events.fire_event("server-stopping");
				check.equal(#scene.sent, count);
			end;
		end;
	end
	check_linear("a stop with many rooms", stop_with(function (actions, i)
		table.insert(actions, made(alice, room(i), "leave"));
	end), 300);
	check_linear("what is dropped, in many rooms", stop_with(function (actions, i)
		table.insert(actions, made(alice, room(i), "old"));
		table.insert(actions, { kind = "drop", account = alice, room = room(i) });
		table.insert(actions, made(alice, room(i), "leave"));
	end), 300);
	check_linear("one long queue", stop_with(function (actions, i)
		table.insert(actions, made(alice, one, tostring(i)));
	end), 100);
	check_linear("many rooms that hold something up", function (count)
		local scene = new_scene();
		setmetatable(scene.slow, { __index = function () return true; end });
		for i = 1, count do
			says(scene, scene.phone, room(i), "1");
			says(scene, scene.desk, room(i), "2");
		end
		setmetatable(scene.slow, nil);
		return function ()
			scene.server.events.fire_event("server-stopping");
			check.equal(#scene.sent, count);
		end;
	end, 100);
end);

check.done();
