-- What the wrapper does for each action of the core, and when.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local new_scene, groupchat, to_room = scenes.new, scenes.groupchat, scenes.to_room;
local answer, logged = scenes.answer, scenes.logged;

scenes.test("a relay addresses each session and gives the stanza back as it was", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(2, 1, 99);
	local stanza = groupchat();
	local before = tostring(stanza);
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(tostring(stanza), before, "given back");
	check.equal(scene.desk.received[1]:match(" to='([^']+)'"), scene.desk.full_jid);
	check.equal(scene.phone.received[1]:match(" to='([^']+)'"), scene.phone.full_jid);
	check.list(stub.calls, { "room_stanza "..alice.." "..room.."/bob" });
end);

scenes.test("a relay under other ids", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer({ kind = "relay", sessions = { 1, 2, 1 }, ids = { "new", false, true } });
	local stanza = groupchat();
	local before = tostring(stanza);
	fake.arrives(scene.server, stanza);
	check.equal(tostring(stanza), before, "given back");
	check.equal(scene.phone.received[1]:match(" id='([^']+)'"), "new");
	check.equal(scene.desk.received[1]:match(" id='([^']+)'"), nil);
	check.equal(scene.phone.received[2]:match(" id='([^']+)'"), "m1");
end);

scenes.test("a forward speaks as the account and gives the stanza back", function ()
	local scene = new_scene();
	stub.says.client_stanza = answer({ kind = "forward", id = "own" });
	local stanza = to_room();
	check.equal(fake.client_sends(scene.server, scene.phone, stanza), true);
	local sent = scene.server.sent[1];
	check.equal(sent:match(" from='([^']+)'"), alice);
	check.equal(sent:match(" id='([^']+)'"), "own");
	check.equal(sent:match(" to='([^']+)'"), room);
	check.equal(stanza.attr.from, scene.phone.full_jid);
	check.equal(stanza.attr.id, "c1");
end);

scenes.test("F42 whoever keeps what it was given finds it unchanged", function ()
	local scene = new_scene();
	local kept = {};
	local function keep(stanza)
		table.insert(kept, { stanza = stanza, before = tostring(stanza) });
		return true;
	end
	scene.server.send, scene.phone.send, scene.desk.send = keep, keep, keep;
	scene.phone.want_carbons, scene.desk.want_carbons = true, true;
	stub.says.client_stanza = answer({ kind = "mirror", sessions = { 1, 2 } }, { kind = "forward", id = "own" });
	fake.client_sends(scene.server, scene.phone, to_room());
	stub.says.room_stanza = answer({ kind = "relay", sessions = { 1, 2 }, ids = { "new", false } });
	fake.arrives(scene.server, groupchat());
	check.equal(#kept, 5);
	for _, given in ipairs(kept) do check.equal(tostring(given.stanza), given.before); end
end);

scenes.test("the queue leaves in order: after the actions of a session's stanza, before a forward", function ()
	local scene = new_scene();
	local function send(id)
		return { kind = "send", stanza = st.presence({ from = alice, to = room.."/alice", id = id }) };
	end
	stub.says.client_stanza = answer(send("1"), send("2"), { kind = "forward", id = true });
	fake.client_sends(scene.server, scene.phone, to_room());
	stub.says.client_stanza = answer(send("3"), { kind = "reply", type = "cancel", condition = "conflict", by = room }, send("4"));
	fake.client_sends(scene.server, scene.phone, to_room());
	local ids = {};
	for _, xml in ipairs(scene.server.sent) do table.insert(ids, xml:match(" id='([^']+)'")); end
	check.list(ids, { "1", "2", "c1", "3", "4" });
	check.equal(#scene.phone.received, 1);
end);

scenes.test("what a room's stanza causes waits until no room is on the stack", function ()
	local scene = new_scene();
	local join = { kind = "send", stanza = st.presence({ from = alice, to = room.."/alice" }) };
	stub.says.room_stanza = answer(join);
	fake.arrives(scene.server, groupchat());
	check.equal(#scene.server.sent, 0, "within the hook");
	scene.module:run_timers();
	check.equal(#scene.server.sent, 1, "in the timer");
	-- The room answers within the forward; the queue leaves when the forward is done.
	stub.says.client_stanza = answer({ kind = "forward", id = true });
	local sent, depth = {}, 0;
	scene.server.send = function (stanza)
		table.insert(sent, stanza.name.." "..depth);
		if stanza.name ~= "message" then return; end
		depth = depth + 1;
		fake.arrives(scene.server, groupchat());
		depth = depth - 1;
	end;
	fake.client_sends(scene.server, scene.phone, to_room());
	check.list(sent, { "message 0", "presence 0" });
end);

scenes.test("a forward while a room is on the stack waits behind what waits already", function ()
	local scene = new_scene();
	local first = { kind = "send", stanza = st.presence({ from = alice, to = room.."/alice" }) };
	stub.says.room_stanza = answer(first, { kind = "relay", sessions = { 1 }, ids = { true } });
	stub.says.client_stanza = answer({ kind = "forward", id = true });
	local stanza = to_room();
	scene.phone.send = function () fake.client_sends(scene.server, scene.phone, stanza); return true; end;
	fake.arrives(scene.server, groupchat());
	check.equal(#scene.server.sent, 0);
	check.equal(stanza.attr.from, scene.phone.full_jid);
	scene.module:run_timers();
	check.equal(scene.server.sent[1]:match("^<(%a+)"), "presence");
	check.equal(scene.server.sent[2]:match("^<(%a+)"), "message");
	check.equal(#scene.server.sent, 2);
end);

scenes.test("the count of rooms on the stack is right after a fault", function ()
	local scene = new_scene();
	stub.says.room_stanza = function () error("panic"); end;
	check.equal(fake.arrives(scene.server, groupchat()), true);
	stub.says.room_stanza = answer({ kind = "no such action" });
	check.equal(fake.arrives(scene.server, groupchat()), true);
	stub.says.client_stanza = answer({ kind = "send", stanza = st.presence({ from = alice, to = room }) });
	fake.client_sends(scene.server, scene.phone, to_room());
	check.equal(#scene.server.sent, 1, "the queue leaves at once");
end);

scenes.test("a dead session's stanza does not let the queue go", function ()
	local scene = new_scene();
	stub.says.client_stanza = answer({ kind = "send", stanza = st.presence({ from = alice, to = room }) });
	scene.phone.destroyed = true;
	fake.client_sends(scene.server, scene.phone, st.presence({ to = room.."/alice", type = "unavailable" }));
	check.equal(#scene.server.sent, 0);
	scene.module:run_timers();
	check.equal(#scene.server.sent, 1);
end);

scenes.test("a drop takes back what is queued from that account to that room", function ()
	local scene = new_scene();
	local function send(from, to)
		return { kind = "send", stanza = st.presence({ from = from, to = to }) };
	end
	stub.says.room_stanza = answer(
		send(alice, room.."/a"), send(alice, "other@rooms.example.org/a"), send("bob@example.org", room.."/b"),
		{ kind = "drop", account = alice, room = room }
	);
	fake.arrives(scene.server, groupchat());
	scene.module:run_timers();
	check.equal(#scene.server.sent, 2);
	check.equal(scene.server.sent[1]:match(" to='([^']+)'"), "other@rooms.example.org/a");
end);

scenes.test("a session speaks for itself in send_as", function ()
	local scene = new_scene();
	stub.says.client_stanza = answer({ kind = "send_as", from = alice.."/phone", stanza = st.presence({ to = room.."/a" }) });
	fake.client_sends(scene.server, scene.phone, to_room());
	check.equal(scene.server.sent[1]:match(" from='([^']+)'"), alice.."/phone");
end);

scenes.test("a delivery is addressed to its session", function ()
	local scene = new_scene();
	stub.says.client_stanza = answer({ kind = "deliver", session = 2, stanza = st.presence({ from = room.."/bob" }) });
	fake.client_sends(scene.server, scene.phone, to_room());
	check.equal(scene.desk.received[1]:match(" to='([^']+)'"), scene.desk.full_jid);
end);

scenes.test("a private message to nobody is stored, and a failure only logged", function ()
	local scene = new_scene();
	local pm = st.message({ from = room.."/bob", to = alice, type = "chat" }):body("psst");
	stub.says.room_stanza = answer({ kind = "store_offline" });
	local stored;
	scene.server.hosts["example.org"].events.add_handler("message/offline/handle", function (event)
		stored = event;
		return true;
	end);
	check.equal(fake.arrives(scene.server, pm), true);
	check.equal(stored.username, "alice");
	check.equal(stored.stanza ~= pm, true, "a copy");
	scene.server.hosts["example.org"].events.add_handler("message/offline/handle", function () return false; end, 1);
	check.equal(fake.arrives(scene.server, pm), true);
	check.equal(logged(scene.server, "psst"), 0);
	check.equal(logged(scene.server, "^warn "), 1);
	check.equal(#scene.server.sent, 0);
end);

scenes.test("a private message that was kept meanwhile is stored as it was", function ()
	local scene = new_scene();
	local kept = st.message({ from = room.."/bob", to = alice, type = "chat" }):body("psst");
	stub.says.session_gone = answer({ kind = "store_offline", stanza = kept });
	local stored;
	scene.server.hosts["example.org"].events.add_handler("message/offline/handle", function (event)
		stored = event;
		return true;
	end);
	fake.fires(scene.server, "resource-unbind", { session = scene.phone });
	check.equal(stored.username, "alice");
	check.equal(stored.stanza, kept);
	check.equal(stored.origin, scene.server.hosts["example.org"]);
end);

scenes.test("a sent private message is mirrored to sessions with carbons, as one of a room", function ()
	local scene = new_scene();
	stub.says.client_stanza = answer({ kind = "mirror", sessions = { 2 } }, { kind = "forward", id = true });
	local function send(child)
		local pm = st.message({ to = room.."/bob", type = "chat", id = "p" }):body("psst");
		fake.client_sends(scene.server, scene.phone, child and pm:add_child(child) or pm);
	end
	send();
	check.equal(#scene.desk.received, 0, "without carbons");
	scene.desk.want_carbons = "urn:xmpp:carbons:2";
	send();
	local carbon = scene.desk.received[1];
	check.equal(carbon:match("^<message [^>]*to='([^']+)'"), scene.desk.full_jid);
	check.equal(carbon:match("^<message [^>]*from='([^']+)'"), alice);
	check.equal(carbon:find("<sent xmlns='urn:xmpp:carbons:2'><forwarded", 1, true) ~= nil, true, carbon);
	check.equal(carbon:find("muc#user", 1, true) ~= nil, true);
	check.equal(scene.server.sent[2]:find("muc#user", 1, true), nil, "the room gets it as it was");
	send(st.stanza("private", { xmlns = "urn:xmpp:carbons:2" }));
	send(st.stanza("no-copy", { xmlns = "urn:xmpp:hints" }));
	check.equal(#scene.desk.received, 1);
	check.equal(#scene.server.sent, 4);
end);

scenes.test("a private message that was held is mirrored as it was, not the stanza in hand", function ()
	local scene = new_scene();
	scene.desk.want_carbons = "urn:xmpp:carbons:2";
	local held = st.message({ from = scene.phone.full_jid, to = room.."/bob", type = "chat" }):body("held");
	stub.says.room_stanza = answer({ kind = "mirror", sessions = { 2 }, stanza = held });
	fake.arrives(scene.server, groupchat("in hand"));
	check.equal(scene.desk.received[1]:find("held", 1, true) ~= nil, true);
	check.equal(scene.desk.received[1]:find("in hand", 1, true), nil);
end);

scenes.test("a relay leaves no garbage", function ()
	local scene = new_scene();
	stub.records, scene.watched = false, nil;
	stub.says.room_stanza = stub.relay_to(1, 2);
	stub.says.client_stanza = true;
	scene.phone.send, scene.desk.send = function () return true; end, function () return true; end;
	local events = scene.server.hosts["example.org"].events;
	local event = { origin = scene.server.hosts["rooms.example.org"], stanza = groupchat() };
	check.equal(check.garbage(function () events.fire_event("message/bare", event); end), 0, "from the room");
	local sent = { origin = scene.phone, stanza = to_room() };
	check.equal(check.garbage(function () events.fire_event("pre-message/bare", sent); end), 0, "from a session");
end);

scenes.test("K8: a service is asked by the host, and the core is told whatever comes instead of an answer", function ()
	local scene = new_scene();
	local function ask()
		stub.says.wake = answer({ kind = "ask_service", domain = "rooms.example.net", id = "q1" });
		scene.module.run_timers(scene.module);
		stub.says.wake, stub.calls = nil, {};
		return scene.server.sent[#scene.server.sent];
	end
	stub.says.room_stanza = { handled = true, wake_in = 1 };
	fake.arrives(scene.server, groupchat());
	local query = ask();
	for _, part in ipairs({ "from='example.org'", "to='rooms.example.net'", "id='q1'", "disco#info" }) do
		check.equal(query:find(part, 1, true) ~= nil, true, part);
	end
	scene.server.answered({ stanza = st.stanza("iq", { type = "result", id = "q1" }) });
	check.list(stub.calls, { "service_answered rooms.example.net q1 nil" });
	fake.arrives(scene.server, groupchat());
	ask();
	scene.server.refused({ condition = "remote-server-timeout" });
	check.list(stub.calls, { "service_answered rooms.example.net q1 remote-server-timeout" });
	fake.arrives(scene.server, groupchat());
	local stanza = st.stanza("iq", { type = "get", from = "example.org", to = "rooms.example.net", id = "q1" });
	ask();
	scene.server.answered({ stanza = st.error_reply(stanza, "wait", "resource-constraint") });
	check.list(stub.calls, { "service_answered rooms.example.net q1 resource-constraint" });
end);

check.done();
