-- Which hook makes which call of the core, and what its answer means there.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local new_scene, groupchat, to_room = scenes.new, scenes.groupchat, scenes.to_room;
local logged = scenes.logged;

scenes.test("hooks have the priorities that Prosody's own handlers leave free", function ()
	local priorities = new_scene().module.priorities;
	table.sort(priorities);
	check.list(priorities, {
		"account-disco-info -1", "archive-should-store 1", "carbons-should-copy 1",
		"cloud_notify/push 2", "cloud_notify/registration -1",
		"delivery/failure -1", "iq-get/self/urn:xmpp:mam:2:metadata 1", "iq-get/self/urn:xmpp:mam:2:query 1",
		"iq-set/self/urn:xmpp:blocking:block 1", "iq-set/self/urn:xmpp:blocking:unblock 1",
		"iq-set/self/urn:xmpp:mam:2:query 1", "iq-set/self/urn:xmpp:push:0:disable 1",
		"iq/bare 1000", "iq/full 0.05", "iq/full 5", "message/bare 1000",
		"message/full -0.25", "message/full 5", "module-loaded 0", "module-unloaded 0",
		"pre-iq/bare -2", "pre-iq/full -2", "pre-message/bare -2", "pre-message/full -2",
		"pre-presence/bare -10", "pre-presence/bare 1", "pre-presence/full -10", "pre-presence/full 1",
		"pre-presence/host -10", "presence/bare 1000", "presence/full 0.05", "presence/full 5",
		"resource-bind -1", "resource-unbind 1", "s2sin-destroyed 0", "s2sin-established 0",
		"s2sout-created 0", "s2sout-destroyed 0", "s2sout-established 0",
		"smacks-hibernation-end 0", "smacks-hibernation-start 0",
	});
end);

scenes.test("a session whose send fails is told to the core, the others get theirs", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	scene.phone.send = function () return false; end;
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(#scene.desk.received, 1);
	check.equal(stub.calls[2], "delivery_failed 1 "..alice.." "..alice.."/phone "..room.."/bob");
end);

scenes.test("a session whose send has failed is told that it is out, if it is there all the same", function ()
	for _, answers in ipairs({ { false, true }, { false, false } }) do
		local scene = new_scene();
		stub.says.room_stanza = stub.relay_to(1, 2);
		local out = st.presence({ type = "unavailable", from = room.."/me" });
		local says = { scenes.answer({ kind = "deliver", session = 1, stanza = out }) };
		stub.says.delivery_failed = function () return table.remove(says); end;
		local tried = {};
		scene.phone.send = function (stanza)
			table.insert(tried, stanza.name);
			return answers[#tried];
		end;
		check.equal(fake.arrives(scene.server, groupchat()), true);
		check.list(tried, { "message", "presence" });
		check.equal(#scene.desk.received, 1);
		check.equal(#stub.calls, answers[2] and 2 or 3);
	end
end);

scenes.test("an error raised in sending is about that stanza, the session stays", function ()
	local scene = new_scene();
	scene.phone.send = function () error("somebody's filter"); end;
	stub.says.room_stanza = stub.relay_to(1, 2);
	check.equal(fake.arrives(scene.server, groupchat()), true);
	stub.says.room_stanza = scenes.answer({ kind = "relay", sessions = { 1, 2 }, ids = { true, true } });
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(#scene.desk.received, 2);
	check.equal(logged(scene.server, "^error .*somebody's filter"), 2);
	check.equal(#stub.calls, 2, "nothing is told to the core");
end);

scenes.test("a live message that the core can't take in reaches who has been shown the room, unchanged", function ()
	local scene = new_scene();
	local asked;
	stub.says.fallback_receivers = function (account, from)
		asked = account.." "..from;
		return { 2, 1 };
	end;
	stub.says.room_stanza = "stanza too large";
	local stanza = groupchat();
	local before = tostring(stanza);
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(asked, alice.." "..room.."/bob");
	check.equal(tostring(stanza), before, "given back");
	stanza.attr.to = scene.phone.full_jid;
	check.list(scene.phone.received, { tostring(stanza) });
	check.equal(logged(scene.server, "^debug .*too large"), 1);
	check.equal(#stub.calls, 1, "the room goes on");
end);

scenes.test("after a panic it does so as well, and then the room is abandoned", function ()
	local scene = new_scene();
	stub.says.fallback_receivers = { 1, 2 };
	stub.says.room_stanza = function () error("panic"); end;
	local received;
	stub.says.abandoned = function () received = #scene.phone.received + #scene.desk.received; end;
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(received, 2);
	check.equal(stub.calls[2], "abandoned "..alice.." "..room);
	stub.says.fallback_receivers = function () error("another panic"); end;
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(#scene.phone.received, 1);
	check.equal(stub.calls[4], "abandoned "..alice.." "..room);
end);

scenes.test("nothing else reaches a session unless the core takes it in", function ()
	local scene = new_scene();
	stub.says.fallback_receivers, stub.says.room_stanza = { 1 }, "stanza too large";
	local function with(name, attr)
		return groupchat():tag(name, attr):up();
	end
	for _, stanza in ipairs({
		with("stanza-id", { xmlns = "urn:xmpp:sid:0", by = alice, id = "forged" }),
		with("delay", { xmlns = "urn:xmpp:delay", stamp = "2026-01-01T00:00:00Z" }),
		with("x", { xmlns = "jabber:x:delay", stamp = "20260101T00:00:00" }),
		st.message({ from = room.."/bob", to = alice, type = "chat" }):body("hi"),
		st.presence({ from = room.."/bob", to = alice }),
	}) do
		check.equal(fake.arrives(scene.server, stanza), true);
		check.equal(#scene.phone.received, 0, tostring(stanza));
	end
	check.equal(fake.arrives(scene.server, with("stanza-id", { xmlns = "urn:xmpp:sid:0", by = room, id = "1" })), true);
	check.equal(fake.arrives(scene.server, with("x", { xmlns = "jabber:x:oob" })), true);
	check.equal(#scene.phone.received, 2);
end);

scenes.test("a message that comes while another is relayed changes nothing for that one", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	scene.phone.send = function ()
		stub.says.room_stanza, scene.phone.send = stub.relay_to(2, 1), function () return false; end;
		fake.arrives(scene.server, groupchat("inner"));
		error("broken");
	end; -- the inner one fails, the outer one raises
	check.equal(fake.arrives(scene.server, groupchat("outer")), true);
	check.equal(#scene.desk.received, 2);
	check.equal(scene.desk.received[1]:find("inner", 1, true) ~= nil, true);
	check.equal(scene.desk.received[2]:find("outer", 1, true) ~= nil, true);
	local taken_in = "room_stanza "..alice.." "..room.."/bob";
	local failed = "delivery_failed 1 "..alice.." "..alice.."/phone "..room.."/bob";
	check.list(stub.calls, { taken_in, taken_in, failed });
end);

scenes.test("an error whose own text raises another stops no relay", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	scene.phone.send = function () error(setmetatable({}, { __tostring = function () error("no text"); end })); end;
	local stanza = groupchat();
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(#scene.desk.received, 1);
	check.equal(stanza.attr.to, alice, "the stanza is given back as it was");
	check.equal(logged(scene.server, "without words"), 1);
end);

scenes.test("a relay ends even where no protected call is possible", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	local calls = 0;
	function scene.module.environment.pcall() -- as at the end of Lua's C stack
		calls = calls + 1;
		if calls > 10 then error("endless"); end
		return false, "C stack overflow";
	end
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(logged(scene.server, "C stack overflow"), 2, "each session fails once");
	check.equal(#stub.calls, 1);
end);

scenes.test("handled without actions is not the same as not ours", function ()
	local scene = new_scene();
	check.equal(fake.arrives(scene.server, groupchat()), nil);
	stub.says.room_stanza = true;
	check.equal(fake.arrives(scene.server, groupchat()), true);
	stub.says.room_stanza = { handled = false, log = { "debug", "100%" } };
	check.equal(fake.arrives(scene.server, groupchat()), nil);
	check.equal(logged(scene.server, "^debug 100%%$"), 1);
end);

scenes.test("each kind of stanza to the account is asked about once", function ()
	local scene = new_scene();
	for _, stanza in ipairs({
		st.presence({ from = room.."/bob", to = alice }), st.presence({ from = room, to = alice, type = "error" }),
		groupchat(), st.message({ from = room.."/bob", to = alice, type = "chat" }),
		st.iq({ from = room.."/bob", to = alice, type = "get", id = "q" }),
	}) do
		stub.calls = {};
		fake.arrives(scene.server, stanza);
		check.equal(#stub.calls, 1, tostring(stanza));
	end
	stub.calls = {};
	fake.arrives(scene.server, st.presence({ from = "bob@example.org", to = alice, type = "subscribe" }));
	check.equal(#stub.calls, 0, "a subscription");
end);

scenes.test("a subscription goes on, and what a room of this server answers the account is taken in", function ()
	local scene = new_scene();
	local events = scene.server.hosts["example.org"].events;
	for _, form in ipairs({ "full", "bare" }) do
		events.add_handler("pre-presence/"..form, function (event) -- as mod_presence does
			event.stanza.attr.from = alice;
			event.origin.send(st.error_reply(event.stanza, "modify", "bad-request"));
			return true;
		end, 0);
	end
	for _, to in ipairs({ room, room.."/bob" }) do
		stub.calls = {};
		stub.says.room_stanza = true;
		fake.client_sends(scene.server, scene.phone, st.presence({ type = "subscribe", to = to, id = "s" }));
		check.equal(#stub.calls, 2);
		check.equal(stub.calls[1]:match("^client_stanza 1 [^ ]+ [^ ]+"), "client_stanza 1 "..alice.." "..to);
		check.equal(stub.calls[2]:match("^room_stanza [^ ]+ [^ ]+"), "room_stanza "..alice.." "..to);
		check.equal(#scene.phone.received, 0);
		stub.says.room_stanza = nil; -- it concerns no room of ours
		fake.client_sends(scene.server, scene.phone, st.presence({ type = "subscribe", to = to, id = "s" }));
		check.equal(#scene.phone.received, 1);
		table.remove(scene.phone.received);
	end
end);

scenes.test("what no session sent, and what goes to the own account, is none of ours", function ()
	local scene = new_scene();
	local component = { type = "component", host = "bridge.example.org", full_jid = "x" };
	fake.client_sends(scene.server, component, to_room());
	local host = scene.server.hosts["example.org"];
	host.full_jid = "example.org";
	fake.client_sends(scene.server, host, to_room());
	fake.client_sends(scene.server, scene.phone, st.message({ type = "chat" }));
	fake.client_sends(scene.server, scene.phone, st.presence());
	check.equal(#stub.calls, 0);
end);

scenes.test("only a join to what may be a room is called one", function ()
	local scene = new_scene();
	local function presence(to, presence_type)
		return st.presence({ to = to, type = presence_type }):tag("x", { xmlns = "http://jabber.org/protocol/muc" }):up();
	end
	fake.client_sends(scene.server, scene.phone, presence(room.."/alice"));
	fake.client_sends(scene.server, scene.phone, presence(room));
	fake.client_sends(scene.server, scene.phone, presence(room.."/alice", "unavailable"));
	fake.client_sends(scene.server, scene.phone, presence("bob@example.org/desk"));
	check.list(stub.calls, {
		"client_stanza 1 "..alice.." "..room.."/alice true",
		"client_stanza 1 "..alice.." "..room.." true",
		"client_stanza 1 "..alice.." "..room.."/alice false",
	});
end);

scenes.test("mod_carbons leaves private messages of our rooms alone", function ()
	local scene = new_scene();
	local event = { session = scene.phone, stanza = st.message({ to = room.."/bob", type = "chat" }) };
	check.equal(fake.fires(scene.server, "carbons-should-copy", event), nil);
	stub.says.occupies = true;
	check.equal(fake.fires(scene.server, "carbons-should-copy", event), false);
	check.equal(event.reason, "muc-pm");
	event = { session = { type = "s2sin" }, stanza = groupchat() };
	check.equal(fake.fires(scene.server, "carbons-should-copy", event), nil);
end);

scenes.test("P5 mod_mam leaves what we say to ourselves to the room's copy of it", function ()
	local scene = new_scene();
	local event = { session = scene.phone, stanza = st.message({ to = room.."/alice", type = "chat" }) };
	check.equal(fake.fires(scene.server, "archive-should-store", event), nil);
	stub.says.is_ourselves = true;
	check.equal(fake.fires(scene.server, "archive-should-store", event), false);
	event = { session = { type = "component" }, stanza = st.message({ to = alice, from = room.."/alice", type = "chat" }) };
	check.equal(fake.fires(scene.server, "archive-should-store", event), nil, "that copy");
end);

scenes.test("after a panic the session gets an error and the room is abandoned", function ()
	local scene = new_scene();
	stub.says.client_stanza = function () error("panic"); end;
	check.equal(fake.client_sends(scene.server, scene.phone, to_room("secret")), true);
	check.equal(stub.calls[2], "abandoned "..alice.." "..room);
	check.equal(scene.phone.received[1]:find("internal-server-error", 1, true) ~= nil, true);
	stub.says.abandoned = function () error("panic"); end;
	check.equal(fake.client_sends(scene.server, scene.phone, to_room("secret")), true);
	stub.says.room_stanza = function () error("panic"); end;
	check.equal(fake.arrives(scene.server, groupchat("secret")), true);
	check.equal(#scene.server.sent, 0);
	check.equal(logged(scene.server, "secret"), 0);
end);

scenes.test("what can't be read is swallowed, and its session told", function ()
	local scene = new_scene();
	stub.says.client_stanza, stub.says.room_stanza = "stanza too large", "stanza too large";
	check.equal(fake.client_sends(scene.server, scene.phone, to_room()), true);
	check.equal(#scene.phone.received, 1);
	check.equal(fake.client_sends(scene.server, scene.phone, st.message({ to = room, type = "error" })), true);
	check.equal(#scene.phone.received, 1, "an error is not answered");
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(#scene.server.sent, 0);
	check.equal(logged(scene.server, "^debug .*too large"), 3);
end);

scenes.test("the end of a session is told before mod_presence tells rooms", function ()
	local scene = new_scene();
	scene.server.hosts["example.org"].events.add_handler("resource-unbind", function ()
		table.insert(stub.calls, "mod_presence");
	end, 0);
	fake.client_sends(scene.server, scene.phone, st.presence({ type = "unavailable" }));
	fake.fires(scene.server, "smacks-hibernation-start", { origin = scene.desk });
	fake.fires(scene.server, "smacks-hibernation-end", { origin = {}, resumed = scene.desk });
	scene.phone.destroyed = true;
	fake.fires(scene.server, "resource-unbind", { session = scene.phone });
	fake.client_sends(scene.server, scene.phone, st.presence({ type = "unavailable" }));
	check.list(stub.calls, {
		"session_unavailable 1", "session_hibernated 2", "session_resumed 2", "session_gone 1", "mod_presence",
	});
	stub.says.room_stanza = stub.relay_to(1);
	check.equal(fake.arrives(scene.server, groupchat()), true, "its number means nobody");
	check.equal(#scene.phone.received, 0);
end);

scenes.test("a lost connection to another server is told, with its name", function ()
	local scene = new_scene();
	local out = { direction = "outgoing", from_host = "example.org", to_host = "rooms.example.net" };
	local both = { direction = "outgoing", from_host = "example.org", to_host = "both.example.net", incoming = true };
	local incoming = { from_host = "rooms.example.com", to_host = "example.org", hosts = {
		["rooms.example.com"] = { authed = true }, ["a.example.com"] = { authed = true }, ["b.example.com"] = {},
	} };
	local pretending = { from_host = "rooms.example.net", hosts = { ["rooms.example.net"] = { authed = false } } };
	fake.fires(scene.server, "s2sout-destroyed", { session = out });
	fake.fires(scene.server, "s2sout-destroyed", { session = both });
	fake.fires(scene.server, "s2sin-destroyed", { session = incoming, reason = "system-shutdown" });
	fake.fires(scene.server, "s2sin-destroyed", { session = pretending });
	fake.fires(scene.server, "s2sin-destroyed", { session = { from_host = "rooms.example.net" } });
	check.list(stub.calls, {
		"service_lost rooms.example.net true false", "service_lost both.example.net true true",
		"service_lost a.example.com false true", "service_lost rooms.example.com false true",
	});
end);

scenes.test("K8: a connection ends in peace if it was closed without a reason, or by the peer for being idle", function ()
	local scene = new_scene();
	local function told(reason)
		stub.calls = {};
		local session = { from_host = "example.org", to_host = "rooms.example.net" };
		fake.fires(scene.server, "s2sout-destroyed", { session = session, reason = reason });
		return stub.calls[1]:match("^service_lost %S+ (%S+)");
	end
	for _, reason in ipairs({ false, "connection-timeout (Idle connection)" }) do
		check.equal(told(reason), "true", tostring(reason));
	end
	check.equal(told(nil), "true", "nil");
	for _, reason in ipairs({ "closed", "connection-timeout", "system-shutdown (Bye)", "write timeout",
		"Connection reset by peer", { condition = "remote-server-timeout" } }) do
		check.equal(told(reason), "false", tostring(reason));
	end
end);

scenes.test("K8: a connection that stands is told, whoever has set it up, with all names that the peer has proved", function ()
	local scene = new_scene();
	local incoming = { direction = "incoming", from_host = "a.example.com", to_host = "example.org", hosts = {
		["rooms.example.com"] = { authed = true }, ["a.example.com"] = { authed = true }, ["b.example.com"] = {},
	} };
	fake.fires(scene.server, "s2sin-established", { session = incoming });
	check.list(stub.calls, { "stream_established a.example.com true", "stream_established rooms.example.com true" });
end);

scenes.test("a connection that is being set up is told, and when that is settled", function ()
	local scene = new_scene();
	local function session(direction, from)
		return { session = { direction = direction, from_host = from, to_host = "rooms.example.net" } };
	end
	fake.fires(scene.server, "s2sout-created", session("outgoing", "example.org"));
	fake.fires(scene.server, "s2sout-established", session("outgoing", "example.org"));
	scene.server.events.fire_event("s2s-destroyed", session("outgoing", "example.org"));
	scene.server.events.fire_event("s2s-destroyed", session("outgoing", "other.example"));
	scene.server.events.fire_event("s2s-destroyed", session("incoming", "example.org"));
	local settled = "stream_settled rooms.example.net";
	check.list(stub.calls, {
		"stream_begun rooms.example.net", settled, "stream_established rooms.example.net false", settled,
	});
end);

scenes.test("a delivery that failed later is answered by the core", function ()
	local scene = new_scene();
	local event = { session = scene.phone, stanza = groupchat() };
	event.stanza.attr.to = scene.phone.full_jid;
	check.equal(fake.fires(scene.server, "delivery/failure", event), nil);
	stub.says.delivery_failed = true;
	check.equal(fake.fires(scene.server, "delivery/failure", event), true);
	check.equal(stub.calls[1], "delivery_failed 1 "..alice.." "..scene.phone.full_jid.." "..room.."/bob");
end);

check.done();
