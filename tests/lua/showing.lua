-- What other modules are shown of a room, and what becomes of that (F29, F34).

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";
local async = require "util.async";

local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local groupchat, answer, logged = scenes.groupchat, scenes.answer, scenes.logged;

-- A scene in which others see what comes for sessions; `watched` is what they saw.
local function new_scene()
	local scene = scenes.new();
	scenes.watch(scene);
	return scene;
end

local function whisper()
	return st.message({ from = room.."/bob", to = alice, type = "chat", id = "w" }):body("psst");
end

local function question()
	return st.iq({ from = room.."/bob", to = alice, type = "get", id = "q" }):tag("query", { xmlns = "x" }):up();
end

local function own_presence(of_type)
	return st.presence({ from = room.."/alice", type = of_type });
end

-- Another module does that with what comes for sessions.
local function filter(scene, kind, handler, priority)
	scene.server.hosts["example.org"].events.add_handler(kind.."/full", handler, priority or 200);
end

check.test("each is shown once, for the session that stands for the account, and given back as it was", function ()
	for _, stanza in ipairs({ groupchat(), whisper(), question(), st.presence({ from = room.."/bob", to = alice }) }) do
		local scene = new_scene();
		stub.says.room_stanza = stub.relay_to(1, 2);
		local before = tostring(stanza);
		check.equal(fake.arrives(scene.server, stanza), true);
		check.list(scene.watched, { stanza.name.." "..scene.phone.full_jid });
		check.equal(tostring(stanza), before);
		check.equal(#scene.phone.received + #scene.desk.received, 2);
		check.equal(scene.desk.received[1]:match(" to='([^']+)'"), scene.desk.full_jid);
		check.list(stub.calls, { "room_stanza "..alice.." "..room.."/bob" });
	end
end);

check.test("what the core passes goes on as it came", function ()
	local scene = new_scene();
	local events = scene.server.hosts["example.org"].events;
	local came;
	events.add_handler("message/bare", function (event) came = event.stanza.attr.to; end);
	stub.says.shown_for = 0;
	check.equal(fake.arrives(scene.server, whisper()), nil);
	check.equal(came, alice);
	stub.says.shown_for, came = 1, nil;
	check.equal(fake.arrives(scene.server, whisper()), nil);
	check.equal(came, alice, "shown and passed");
	check.list(scene.watched, { "message "..scene.phone.full_jid });
end);

check.test("what another module ends, the core does not see", function ()
	for _, stanza in ipairs({ groupchat(), whisper(), question(), st.presence({ from = room.."/bob", to = alice }) }) do
		local scene = new_scene();
		stub.says.room_stanza = stub.relay_to(1, 2);
		filter(scene, stanza.name, function () return true; end);
		check.equal(fake.arrives(scene.server, stanza), true);
		check.equal(stanza.attr.to, alice);
		check.equal(#stub.calls + #scene.phone.received, 0);
	end
end);

check.test("a module that fails costs that stanza and one line of the log", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1);
	filter(scene, "message", function (event)
		if event.stanza:get_child_text("body") == "bad" then error("somebody's fault"); end
	end);
	local stanza = groupchat("bad");
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(stanza.attr.to, alice);
	check.equal(#stub.calls, 0);
	check.equal(logged(scene.server, "somebody's fault"), 1);
	check.equal(fake.arrives(scene.server, groupchat("good")), true);
	check.equal(#scene.phone.received, 1);
end);

check.test("what another module changes is what the core and the sessions get", function ()
	local scene = new_scene();
	local taken_in;
	stub.says.room_stanza = function (_, _, stanza, receivers)
		taken_in = tostring(stanza);
		return stub.relay_to(1, 2)(nil, nil, stanza, receivers);
	end;
	filter(scene, "message", function (event)
		event.stanza = st.clone(event.stanza):tag("changed"):reset();
	end);
	local stanza = groupchat();
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(taken_in:find("changed", 1, true) ~= nil, true);
	check.equal(scene.desk.received[1]:find("changed", 1, true) ~= nil, true);
	check.equal(stanza:get_child("changed"), nil, "the room's own is left alone");
end);

check.test("a module that bounces a question speaks for the account, another bounce for the session", function ()
	for stanza, from in pairs({ [question()] = alice, [whisper()] = alice.."/phone" }) do
		local scene = new_scene();
		local bounced;
		filter(scene, stanza.name, function (event)
			event.origin.send(st.error_reply(event.stanza, "cancel", "policy-violation"));
			return true;
		end);
		local origin = { type = "s2sin", send = function (reply) bounced = reply; end };
		local event = { origin = origin, stanza = stanza };
		check.equal(scene.server.hosts["example.org"].events.fire_event(stanza.name.."/bare", event), true);
		check.equal(bounced.attr.from, from);
		check.equal(event.origin, origin, "given back");
	end
end);

check.test("while a module waits, others' stanzas go on, and then it goes on with its own", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	local done;
	filter(scene, "message", function (event)
		if event.stanza:get_child_text("body") ~= "slow" then return; end
		local wait;
		wait, done = async.waiter();
		wait();
	end);
	local slow, handled = groupchat("slow"), nil;
	async.runner():run(function () handled = fake.arrives(scene.server, slow); end);
	check.equal(fake.arrives(scene.server, groupchat("quick")), true);
	check.equal(#scene.phone.received, 1);
	done();
	check.equal(handled, true);
	check.equal(slow.attr.to, alice);
	check.equal(#scene.phone.received, 2);
	check.equal(#scene.desk.received, 2);
end);

check.test("what a module lets go on after a reload is swallowed, and bounces nowhere", function ()
	local scene = new_scene();
	stub.says.room_stanza, stub.says.snapshot = stub.relay_to(1, 2), "all that matters";
	local done;
	filter(scene, "message", function ()
		local wait;
		wait, done = async.waiter();
		wait();
	end);
	local handled;
	async.runner():run(function () handled = fake.arrives(scene.server, groupchat()); end);
	fake.reload(scene.server, scene.module);
	stub.says.room_stanza = nil; -- a closed core knows no room
	done();
	check.equal(handled, true);
end);

check.test("an error and an answer are taken in unseen, and shown to the session that gets them", function ()
	for _, stanza in ipairs({
		st.error_reply(st.message({ from = alice, to = room, id = "m" }), "cancel", "forbidden"),
		st.error_reply(st.presence({ from = alice, to = room.."/a" }), "cancel", "conflict"),
		st.iq({ from = room.."/bob", to = alice, type = "result", id = "made" }),
	}) do
		local scene = new_scene();
		stub.says.room_stanza = answer({ kind = "relay", sessions = { 2 }, ids = { "own" } });
		stanza.attr.to = alice;
		local id = stanza.attr.id;
		check.equal(fake.arrives(scene.server, stanza), true);
		check.list(scene.watched, { stanza.name.." "..scene.desk.full_jid });
		check.equal(scene.desk.received[1]:match(" id='([^']+)'"), "own");
		check.equal(#scene.desk.received, 1);
		check.equal(stanza.attr.to, alice, "given back");
		check.equal(stanza.attr.id, id);
	end
end);

-- The core delivers that to the second session; gives what another module and the session see of it.
local function delivered(scene, action)
	action.kind, action.session = "deliver", 2;
	stub.says.session_resumed = answer(action);
	fake.fires(scene.server, "smacks-hibernation-end", { resumed = scene.phone });
	return #scene.watched, #scene.desk.received;
end

check.test("own presences are shown to the session that gets them, other deliveries to nobody", function ()
	local scene = new_scene();
	local seen, received = delivered(scene, { stanza = own_presence(), shown = true });
	check.equal(seen..received, "11");
	check.list(scene.watched, { "presence "..scene.desk.full_jid });
	seen, received = delivered(scene, { stanza = st.presence({ from = room.."/bob" }) });
	check.equal(seen..received, "12");
end);

check.test("what another module ends reaches its session only if the core insists", function ()
	local scene = new_scene();
	filter(scene, "presence", function () return true; end);
	local _, received = delivered(scene, { stanza = own_presence(), shown = true });
	check.equal(received, 0);
	_, received = delivered(scene, { stanza = own_presence("unavailable"), shown = true, insists = true });
	check.equal(received, 1);
	filter(scene, "presence", function () error("fault"); end, 201);
	_, received = delivered(scene, { stanza = own_presence("unavailable"), shown = true, insists = true });
	check.equal(received, 2);
	check.equal(logged(scene.server, "fault"), 1);
end);

check.test("what comes from whom the account blocks is shown to nobody", function ()
	local scene = new_scene();
	stub.says.blocks_sender = true;
	filter(scene, "presence", function () return true; end);
	local seen, received = delivered(scene, { stanza = own_presence(), shown = true });
	check.equal(seen..received, "01");
end);

check.test("a delivery that is shown and fails is told to the core", function ()
	local scene = new_scene();
	scene.desk.send = function () return false; end;
	stub.calls = {};
	delivered(scene, { stanza = own_presence(), shown = true });
	check.equal(stub.calls[2], "delivery_failed 2 "..alice.." "..alice.."/desk "..room.."/alice");
end);

check.test("a module may wait where a timer delivers", function ()
	local scene = new_scene();
	local done;
	filter(scene, "presence", function ()
		local wait;
		wait, done = async.waiter();
		wait();
	end);
	stub.says.wake = answer({ kind = "deliver", session = 2, stanza = own_presence(), shown = true },
		{ kind = "deliver", session = 1, stanza = st.presence({ from = room.."/bob" }) });
	scene.module.ready();
	check.equal(#scene.desk.received + #scene.phone.received, 0);
	done();
	check.equal(#scene.desk.received, 1);
	check.equal(#scene.phone.received, 1);
	check.equal(logged(scene.server, "^error"), 0);
end);

check.test("a private message for nobody is shown for the session that was the last", function ()
	local scene = new_scene();
	stub.says.shown_for, stub.says.last_stand_in = -1, alice.."/gone";
	stub.says.room_stanza = answer({ kind = "store_offline" });
	local stored;
	scene.server.hosts["example.org"].events.add_handler("message/offline/handle", function (event)
		stored = event.stanza;
		return true;
	end);
	check.equal(fake.arrives(scene.server, whisper()), true);
	check.list(scene.watched, { "message "..alice.."/gone" });
	check.equal(stored.attr.to, alice);
end);

check.test("what a room of this server refuses comes without an event", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer({ kind = "relay", sessions = { 1 }, ids = { "c1" } });
	stub.says.client_stanza = answer({ kind = "forward", id = "made" });
	scene.server.answer = function (stanza, origin)
		origin.send(st.error_reply(stanza, "cancel", "forbidden"));
	end;
	check.equal(fake.client_sends(scene.server, scene.phone, scenes.to_room()), true);
	check.equal(#scene.watched, 0);
	check.equal(scene.phone.received[1]:match(" id='([^']+)'"), "c1");
	check.equal(scene.phone.received[1]:match(" to='([^']+)'"), scene.phone.full_jid);
end);

check.test("what a room refuses to a session itself goes the usual way", function ()
	local scene = new_scene();
	local sent;
	scene.server.hosts["example.org"].send = function (reply) sent = reply; end;
	stub.says.client_stanza = answer({ kind = "send_as", from = alice.."/phone", stanza = st.presence({ to = room.."/a" }) });
	scene.server.answer = function (stanza, origin)
		origin.send(st.error_reply(stanza, "cancel", "conflict"));
	end;
	fake.client_sends(scene.server, scene.phone, scenes.to_room());
	check.equal(sent.attr.to, alice.."/phone");
end);

check.test("the event is spared while nobody but Prosody's own would see it, and fired as soon as somebody would", function ()
	local scene = scenes.new();
	stub.says.room_stanza = stub.relay_to(1);
	local asked = 0;
	stub.says.shown_for = 1;
	local events = scene.server.hosts["example.org"].events;
	local function note() asked = asked + 1; end
	for file, priority in pairs({ ["mod_blocklist.lua"] = 100, ["mod_mam/mod_mam.lua"] = 0 }) do
		local of_module = assert(load("local note = ...; return function () note(); end", "@/usr/lib/prosody/modules/"..file));
		events.add_handler("message/full", of_module(note), priority);
	end
	events.add_handler("message/full", function () asked = asked + 100; end, -0.5); -- below ours
	fake.arrives(scene.server, groupchat());
	check.equal(asked, 0);
	local function other() asked = asked + 10; end
	events.add_handler("message/full", other, 1);
	fake.arrives(scene.server, groupchat());
	check.equal(asked, 12);
	events.remove_handler("message/full", other);
	fake.arrives(scene.server, groupchat());
	check.equal(asked, 12);
	check.equal(#scene.phone.received, 3);
end);

check.done();
