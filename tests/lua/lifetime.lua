-- Loading, options, timers, reload and the end.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local async = require "util.async";
local time = require "util.time";
local timer = require "util.timer";
local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local new_scene, groupchat, to_room = scenes.new, scenes.groupchat, scenes.to_room;
local answer = scenes.answer;

-- The clock stands still unless a test moves it: how much is done in a slice does not depend on the machine.
local clock_s = time.now();
function time.now() return clock_s; end

check.test("the timer is armed before the actions, and a later one replaces it", function ()
	local scene = new_scene();
	local armed_at;
	scene.module.timers = {};
	stub.says.client_stanza = { handled = true, wake_in = 30, actions = { { kind = "forward", id = true } } };
	scene.server.send = function () armed_at = #scene.module.timers; end;
	fake.client_sends(scene.server, scene.phone, to_room());
	check.equal(armed_at, 1);
	stub.says.client_stanza = { handled = true, wake_in = 5 };
	fake.client_sends(scene.server, scene.phone, to_room());
	stub.calls = {};
	scene.module:run_timers();
	check.list(stub.calls, { "wake " });
end);

check.test("a reload keeps numbers, and what the core saved; it lets the queue go first", function ()
	local scene = new_scene();
	stub.says.snapshot = "all that matters";
	stub.says.room_stanza = answer({ kind = "send", stanza = st.presence({ from = alice, to = room }) });
	fake.arrives(scene.server, groupchat());
	scene.phone.directed = { [room.."/alice"] = true };
	stub.calls = {};
	local loaded = fake.reload(scene.server, scene.module);
	loaded.ready();
	check.equal(#scene.server.sent, 1);
	check.equal(stub.opened_with, "all that matters");
	check.list(stub.calls, { "snapshot ", "close ", "wake " });
	stub.says.room_stanza = stub.relay_to(1, 2);
	fake.arrives(scene.server, groupchat());
	check.equal(#scene.phone.received + #scene.desk.received, 2);
	local tablet = fake.session(scene.server, "alice", "tablet");
	fake.client_sends(scene.server, tablet, to_room());
	check.equal(tablet.minimix_id, 3);
end);

check.test("a reload into another version is refused, the module goes on", function ()
	local scene = new_scene();
	function scene.module.load_resource()
		return { read = function () return 'local VERSION = "99.0.0";'; end, close = function () end };
	end
	local ok, fault = pcall(scene.module.save);
	check.equal(ok, false);
	check.equal(fault:match("^Restart Prosody to update mod_minimix from [%d.]+ to 99.0.0$") ~= nil, true, fault);
	check.equal(#stub.calls, 0);
end);

check.test("unloaded for good, it hands over, forgets its numbers and empties the queue", function ()
	local scene = new_scene();
	stub.says.hand_back = answer({ kind = "send", stanza = st.presence({ from = alice, to = room, type = "unavailable" }) });
	scene.module.unload();
	check.list(stub.calls, { "hand_back ", "close " });
	check.equal(#scene.server.sent, 1);
	check.equal(scene.phone.minimix_id, nil);
end);

check.test("when the server stops the core hears of it once", function ()
	local scene = new_scene();
	scene.server.events.fire_event("server-stopping");
	scene.module.unload();
	check.list(stub.calls, { "shutdown ", "close " });
end);

-- So often the core has more accounts than it had time for.
local function has_more(times)
	return function ()
		times = times - 1;
		return times >= 0;
	end;
end

check.test("h6: what concerns all rooms is told until the core has had time for all, and sent each time", function ()
	local scene = new_scene();
	stub.says.has_more = has_more(2);
	local sent = {};
	function stub.says.hand_back()
		table.insert(sent, #scene.server.sent);
		return answer({ kind = "send", stanza = st.presence({ from = alice, to = room, type = "unavailable" }) });
	end
	scene.module.unload();
	check.list(stub.calls, { "hand_back ", "hand_back ", "hand_back ", "close " });
	check.list(sent, { 0, 1, 2 });
end);

-- Each portion takes so long.
local function takes(scene, seconds)
	function stub.says.shutdown()
		clock_s = clock_s + seconds;
		return answer({ kind = "send", stanza = st.presence({ from = alice, to = room, type = "unavailable" }) });
	end
	async.runner(function () scene.server.events.fire_event("server-stopping"); end):run(true);
end

check.test("h6: at the stop others have their turn after each slice, where the server lets us wait", function ()
	local scene = new_scene();
	stub.says.has_more = has_more(4);
	takes(scene, 0.002);
	check.equal(#stub.calls, 3);
	scene.module:run_timers();
	check.equal(#stub.calls, 5);
end);

check.test("h6: where the server does not let us wait, all is told at once", function ()
	local scene = new_scene();
	stub.says.has_more = has_more(2);
	function stub.says.shutdown() clock_s = clock_s + 1; end
	scene.server.events.fire_event("server-stopping");
	check.equal(#stub.calls, 3);
end);

-- After how much growth the collector begins anew, in percent.
local function pause_of_collector()
	local percent = collectgarbage("setpause", 100);
	collectgarbage("setpause", percent);
	return percent;
end

-- Calls it when the collector is as the server had it, and gives how it was then.
local function with_collector(percent, play)
	local before = collectgarbage("setpause", percent);
	local ok, fault = pcall(play);
	local after = collectgarbage("setpause", before);
	if not ok then error(fault, 0); end
	return after;
end

check.test("h6: the collector begins more rarely while all accounts have their turn, and then as before", function ()
	local meanwhile;
	local after = with_collector(104, function ()
		local scene = new_scene();
		function stub.says.hand_back() meanwhile = pause_of_collector(); end
		scene.module.unload();
	end);
	check.equal(meanwhile > 124, true, meanwhile);
	check.equal(after, 104);
end);

check.test("h6: a collector that the server has begin still more rarely is left alone", function ()
	local meanwhile;
	with_collector(1000, function ()
		local scene = new_scene();
		function stub.says.hand_back() meanwhile = pause_of_collector(); end
		scene.module.unload();
	end);
	check.equal(meanwhile, 1000);
end);

check.test("h6: what the server sets meanwhile for the collector stays", function ()
	local after = with_collector(104, function ()
		local scene = new_scene();
		function stub.says.hand_back() collectgarbage("setpause", 152); end
		scene.module.unload();
	end);
	check.equal(after, 152);
end);

check.test("h6: a hand-over that does not come to its end leaves the collector as it was", function ()
	local task;
	timer.add_task = function (_, callback) task = callback; return {}; end;
	local after = with_collector(104, function ()
		local scene = new_scene();
		stub.says.has_more = has_more(100);
		takes(scene, 1);
		check.equal(pause_of_collector() > 104, true);
		task();
		check.equal(pause_of_collector(), 104);
		for _ = 1, 101 do scene.module:run_timers(); end
	end);
	timer.add_task = function () end;
	check.equal(after, 104);
end);

check.test("sessions that joined before the module was loaded are told to the core", function ()
	local server = fake.server();
	stub.reset();
	local phone = fake.session(server, "alice", "phone");
	phone.minimix_id = 7; -- of an earlier life of the module
	phone.directed = { [room.."/b"] = true, [room.."/a"] = true, [room] = true, ["bob@example.org/desk"] = true };
	fake.load(server).ready();
	local us = "already_in 1 "..phone.full_jid.." ";
	check.list(stub.calls, { us..room.."/a", us..room.."/b", "wake " });
end);

check.test("options reach the core, in seconds", function ()
	new_scene({
		minimix_history = 12.7, minimix_linger = "never", minimix_trust = "5 minutes",
		minimix_exclude = { "irc.example" },
	});
	check.equal(stub.options.history, 12);
	check.equal(stub.options.linger, math.huge);
	check.equal(stub.options.trust, 300);
	check.equal(stub.options.exclude[1], "irc.example");
	check.equal(stub.options.away_delay, nil);
	check.equal(#stub.seed, 32);
end);

check.test("a core that does not fit is refused in one line", function ()
	for field, value in pairs({ VERSION = "0.0.1", LUA = "5.1" }) do
		local server, right = fake.server(), stub[field];
		stub[field] = value;
		local module = fake.load(server);
		stub[field] = right;
		check.equal(#server.log, 1);
		check.equal(server.log[1]:match("^error mod_minimix .*") ~= nil and not server.log[1]:find("\n"), true, server.log[1]);
		check.equal(#module.priorities, 0, "no hooks");
	end
	package.loaded.minimix_core = nil;
	local cpath = package.cpath;
	package.cpath = "/nonexistent/?.so";
	local server = fake.server();
	fake.load(server);
	package.cpath, package.loaded.minimix_core = cpath, stub;
	check.equal(#server.log, 1);
	check.equal(server.log[1]:find("needs minimix_core.so", 1, true) ~= nil, true, server.log[1]);
	check.equal(server.log[1]:find("\n"), nil);
end);

check.test("0.12 does not call ready by itself", function ()
	local server = fake.server();
	server.is_0_12 = true;
	stub.reset();
	fake.load(server);
	check.equal(#stub.calls, 0, "while the server starts");
	server.events.fire_event("server-started");
	check.list(stub.calls, { "wake " });
	server.start_time = 1;
	stub.calls = {};
	fake.load(server);
	check.list(stub.calls, { "host_loaded alive", "wake " });
end);

check.test("after an unload what rooms still send is swallowed, until the module is back", function ()
	local scene = new_scene();
	local host = scene.server.hosts["example.org"];
	local seen = 0;
	host.events.add_handler("presence/bare", function () seen = seen + 1; end, 0);
	stub.says.rooms = { room };
	scene.module.unload();
	check.list(stub.calls, { "hand_back ", "close " });
	host.events.fire_event("presence/bare", { stanza = st.presence({ from = room.."/alice", to = "alice@example.org" }) });
	check.equal(seen, 0);
	host.events.fire_event("presence/bare", { stanza = st.presence({ from = "bob@example.org", to = "alice@example.org" }) });
	check.equal(seen, 1, "what is no room of ours");
	fake.load(scene.server);
	host.events.fire_event("presence/bare", { stanza = st.presence({ from = room.."/alice", to = "alice@example.org" }) });
	check.equal(seen, 2);
end);

check.test("who is blocked is told before the first join, and after each change", function ()
	local scene = new_scene();
	scene.server.blocked.alice = { [room.."/eve"] = true, [false] = { created = 1 } };
	local told;
	stub.says.blocks = function (account, jids) told = account.." "..table.concat(jids, " "); end
	fake.client_sends(scene.server, scene.phone, st.presence({ to = room.."/alice" })
		:tag("x", { xmlns = "http://jabber.org/protocol/muc" }):up());
	check.equal(told, "alice@example.org "..room.."/eve");
	-- And when that ends.
	stub.says.blocks, scene.server.blocked.alice = nil, nil;
	stub.calls = {};
	local unblock = st.iq({ type = "set", id = "u" });
	fake.fires(scene.server, "iq-set/self/urn:xmpp:blocking:unblock", { origin = scene.phone, stanza = unblock });
	scene.module:run_timers();
	check.list(stub.calls, { "blocks alice@example.org" });
end);

check.test("who is blocked after a reload is told, though nobody was blocked before", function ()
	local scene = new_scene();
	stub.says.snapshot = "all that matters";
	local loaded = fake.reload(scene.server, scene.module);
	local told;
	stub.says.blocks = function (account, jids) told = account.." "..table.concat(jids, " "); end
	scene.server.blocked.alice = { [room] = true };
	local block = st.iq({ type = "set", id = "b" });
	fake.fires(scene.server, "iq-set/self/urn:xmpp:blocking:block", { origin = scene.phone, stanza = block });
	loaded:run_timers();
	check.equal(told, "alice@example.org "..room);
end);

check.test("who is blocked is told once for all changes of one write", function ()
	local scene = new_scene();
	scene.server.blocked.alice = { [room] = true };
	stub.calls = {};
	local block = st.iq({ type = "set", id = "b" });
	for _ = 1, 3 do
		fake.fires(scene.server, "iq-set/self/urn:xmpp:blocking:block", { origin = scene.phone, stanza = block });
	end
	scene.module:run_timers();
	check.list(stub.calls, { "blocks alice@example.org" });
end);

check.test("an anonymous host is left alone", function ()
	check.equal(#fake.load(fake.server(), { authentication = "anonymous" }).priorities, 0);
end);

check.test("nothing of ours happens in prosodyctl", function ()
	local server = fake.server();
	server.process_type = "prosodyctl";
	check.equal(#fake.load(server).priorities, 0);
end);

check.done();
