-- What is stored, and what is read after a start.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local async = require "util.async";
local time = require "util.time";
local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local answer, groupchat, logged = scenes.answer, scenes.groupchat, scenes.logged;
local den = "den@rooms.example.org";

-- The clock stands still unless a test moves it: how much is done in a slice does not depend on the machine.
local clock_s = time.now();
function time.now() return clock_s; end

-- The core answers the next stanza of a room by these orders.
local function orders(scene, ...)
	stub.says.room_stanza = answer(...);
	fake.arrives(scene.server, groupchat());
	stub.says.room_stanza = nil;
end

local function store(rooms, at_once)
	return { kind = "store", account = alice, rooms = rooms, at_once = at_once or false };
end

local function rooms_of(server, username)
	return server.stores.data.minimix and server.stores.data.minimix[username or "alice"] or {};
end

-- A server that has stored these, and was just started. The records are by username.
local function started(records, options)
	local server = fake.server();
	server.stores.data.minimix = records;
	stub.reset();
	local scene = { server = server, module = fake.load(server, options) };
	return scene;
end

local function count_calls(pattern)
	return scenes.count(stub.calls, pattern);
end

check.test("what changes within a tick is written together, and not in the hook", function ()
	local scene = scenes.new();
	local writes = scene.server.stores.writes;
	orders(scene, store({ [room] = "one" }));
	orders(scene, store({ [room] = "two", [den] = "three" }));
	check.equal(scene.server.stores.writes, writes, "in the hook");
	scene.module:run_timers();
	check.equal(scene.server.stores.writes, writes + 1 + 1, "afterwards, and that the server is up");
	check.equal(rooms_of(scene.server)[room], "two");
	orders(scene, store({ [room] = false }));
	scene.module:run_timers();
	check.equal(rooms_of(scene.server)[room], nil);
	check.equal(rooms_of(scene.server)[den], "three");
end);

check.test("a leave is stored before it goes up", function ()
	local scene = scenes.new();
	local stored_then;
	scene.server.send = function () stored_then = rooms_of(scene.server)[room]; end;
	orders(scene, store({ [room] = "left" }, true), { kind = "send", stanza = st.presence({ from = alice, to = room }) });
	scene.module:run_timers();
	check.equal(stored_then, "left");
end);

check.test("a store that fails holds nobody up; it is tried again, and said once", function ()
	local scene = scenes.new();
	scene.server.stores.fails = "disk full";
	orders(scene, store({ [room] = "left" }, true), { kind = "send", stanza = st.presence({ from = alice, to = room }) });
	orders(scene, store({ [den] = "one" }));
	for _ = 1, 5 do scene.module:run_timers(); end
	check.equal(#scene.server.sent, 1, "the leave");
	check.equal(logged(scene.server, "can't be stored"), 1);
	scene.server.stores.fails = nil;
	for _ = 1, 5 do scene.module:run_timers(); end
	check.equal(rooms_of(scene.server)[room], "left");
	check.equal(rooms_of(scene.server)[den], "one");
	check.equal(logged(scene.server, "stored again"), 1);
end);

check.test("a store that raises an error is one that fails", function ()
	local scene = scenes.new();
	scene.server.stores.waits = function () error("no database"); end;
	orders(scene, store({ [room] = "one" }, true));
	scene.server.stores.waits = nil;
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(rooms_of(scene.server)[room], "one");
end);

check.test("what waits is written at the stop, with the time", function ()
	local scene = scenes.new();
	orders(scene, store({ [room] = "one" }));
	scene.server.events.fire_event("server-stopping");
	check.equal(rooms_of(scene.server)[room], "one");
	check.equal(scene.server.stores.data.minimix_host[false].record, "alive");
end);

-- The stop, where it may wait; the core has more accounts than it had time for, once. Gives how often the core was told.
local function stop_in_portions(scene)
	local left = 1;
	function stub.says.has_more()
		left = left - 1;
		return left >= 0;
	end
	async.runner(function () scene.server.events.fire_event("server-stopping"); end):run(true);
	for _ = 1, 10 do scene.module:run_timers(); end
	return count_calls("^shutdown");
end

check.test("h6: a stop goes on though what waited was written at once", function ()
	local scene = scenes.new();
	orders(scene, store({ [room] = "one" }, true));
	check.equal(stop_in_portions(scene), 2);
	check.equal(scene.server.stores.data.minimix_host[false].record, "alive");
end);

check.test("h6: a stop waits for no store that fails", function ()
	local scene = scenes.new();
	scene.server.stores.fails = "disk full";
	orders(scene, store({ [room] = "one" }));
	check.equal(stop_in_portions(scene), 2);
end);

check.test("what could not be written before a reload is written after it", function ()
	local scene = scenes.new();
	scene.server.stores.fails = "disk full";
	orders(scene, store({ [room] = "one" }));
	stub.says.snapshot = "all that matters";
	local loaded = fake.reload(scene.server, scene.module);
	scene.server.stores.fails = nil;
	for _ = 1, 3 do loaded:run_timers(); end
	check.equal(rooms_of(scene.server)[room], "one");
end);

check.test("at load only the list is read; a stanza for an account reads that account first", function ()
	local scene = started({ alice = { [room] = "text" }, bob = { [room] = "text" } });
	check.equal(count_calls("^loaded"), 0);
	fake.arrives(scene.server, groupchat());
	check.list(stub.calls, { "loaded alice@example.org", "room_stanza alice@example.org "..room.."/bob" });
	fake.arrives(scene.server, groupchat());
	check.equal(count_calls("^loaded"), 1);
end);

check.test("what a session sends reads its account first as well", function ()
	local scene = started({ alice = { [room] = "text" } });
	local phone = fake.session(scene.server, "alice", "phone");
	fake.client_sends(scene.server, phone, scenes.to_room());
	check.equal(stub.calls[1], "loaded alice@example.org");
end);

check.test("the rest is read after the start, and then nobody looks any more", function ()
	local scene = started({ alice = { [room] = "text" }, bob = { [room] = "text" } });
	scene.module.ready();
	check.equal(count_calls("^loaded"), 2);
	stub.calls = {};
	scene.server.stores.fails = "nobody may look";
	fake.arrives(scene.server, groupchat());
	check.list(stub.calls, { "room_stanza alice@example.org "..room.."/bob" });
end);

check.test("an account that can't be read falls through to nobody, and nothing is written over it", function ()
	local scene = started({ alice = { [room] = "text", [den] = "text" } });
	scene.server.stores.fails = "Error reading storage";
	check.equal(fake.arrives(scene.server, groupchat()), true, "swallowed");
	scene.server.stores.fails = nil;
	stub.says.client_stanza = answer(store({ [room] = "new" }, true));
	scene.server.stores.fails = "Error reading storage";
	fake.client_sends(scene.server, fake.session(scene.server, "alice", "phone"), scenes.to_room());
	scene.server.stores.fails = nil;
	check.equal(rooms_of(scene.server)[room], "text", "unseen");
	fake.arrives(scene.server, groupchat());
	scene.module:run_timers();
	check.equal(count_calls("^loaded"), 1);
	check.equal(rooms_of(scene.server)[room], "new", "seen");
	check.equal(rooms_of(scene.server)[den], "text");
end);

check.test("an account that can't be read keeps no other from being read", function ()
	local scene = started({ alice = { [room] = "text" }, bob = { [room] = "text" }, carol = { [room] = "text" } });
	scene.server.stores.broken = "bob";
	scene.module.ready();
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(count_calls("^loaded"), 2);
	scene.server.stores.broken = nil;
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(count_calls("^loaded bob"), 1);
end);

check.test("an account that can't be written keeps no other from being written", function ()
	local scene = scenes.new();
	scene.server.stores.broken = "alice";
	orders(scene, store({ [room] = "one" }),
		{ kind = "store", account = "bob@example.org", rooms = { [room] = "two" }, at_once = false });
	scene.module:run_timers();
	check.equal(rooms_of(scene.server, "bob")[room], "two");
	check.equal(logged(scene.server, "can't be stored"), 1);
	scene.server.stores.broken = nil;
	for _ = 1, 3 do scene.module:run_timers(); end
	check.equal(rooms_of(scene.server)[room], "one");
end);

check.test("who writes for too long lets others have their turn", function ()
	local scene = scenes.new();
	scene.server.stores.waits = function () clock_s = clock_s + 1; end;
	orders(scene, store({ [room] = "one" }),
		{ kind = "store", account = "bob@example.org", rooms = { [room] = "two" }, at_once = false });
	scene.module:run_timers();
	check.equal(rooms_of(scene.server)[room], "one");
	check.equal(rooms_of(scene.server, "bob")[room], nil);
	scene.module:run_timers();
	check.equal(rooms_of(scene.server, "bob")[room], "two");
	scene.server.stores.waits = nil;
end);

check.test("a store that makes us wait: the stanzas of that account follow, in order", function ()
	local scene = started({ alice = { [room] = "text" } });
	local go_on;
	scene.server.core_post_stanza = function (_, stanza)
		table.insert(stub.calls, "again "..stanza:get_child_text("body"));
	end;
	scene.server.stores.waits = function ()
		local wait, done = async.waiter();
		go_on = done;
		scene.server.stores.waits = nil;
		wait();
	end;
	check.equal(fake.arrives(scene.server, groupchat("one")), true);
	check.equal(fake.arrives(scene.server, groupchat("two")), true);
	check.equal(#stub.calls, 0);
	go_on();
	check.list(stub.calls, { "loaded alice@example.org", "again one", "again two" });
end);

check.test("an account that is gone leaves its rooms, and its record goes", function ()
	_G.prosody_users = { bob = true, alice = false };
	local scene = started({ alice = { [room] = "text" }, bob = { [room] = "text" } });
	scene.module.ready();
	_G.prosody_users = nil;
	check.equal(count_calls("^account_gone alice"), 1);
	check.equal(count_calls("^account_gone"), 1);
	check.equal(next(rooms_of(scene.server)), nil);
end);

check.test("a reload goes on where the reading was", function ()
	local scene = started({ alice = { [room] = "text" }, bob = { [room] = "text" } });
	fake.arrives(scene.server, groupchat());
	stub.says.snapshot = "all that matters";
	local loaded = fake.reload(scene.server, scene.module);
	stub.calls = {};
	fake.arrives(scene.server, groupchat());
	check.equal(count_calls("^loaded"), 0, "alice");
	loaded.ready();
	check.equal(count_calls("^loaded bob"), 1, "bob");
end);

check.test("if it can't be read of whom anything is stored, anybody may be", function ()
	local server = fake.server();
	server.stores.data.minimix = { alice = { [room] = "text" } };
	server.stores.fails = "no directory";
	stub.reset();
	local scene = { server = server, module = fake.load(server) };
	server.stores.fails = nil;
	fake.arrives(server, groupchat());
	check.equal(count_calls("^loaded alice"), 1);
	scene.module.ready();
	check.equal(count_calls("^loaded"), 1);
	stub.calls = {};
	server.stores.fails = "nobody may look";
	fake.arrives(server, groupchat());
	check.list(stub.calls, { "room_stanza alice@example.org "..room.."/bob" });
end);

check.done();
