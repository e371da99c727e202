-- What is on the stack, if hooks wait, raise an error or never return.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";
local places = require "support.waiting_rooms";

local st = fake.st;
local answer, logged = scenes.answer, scenes.logged;
local alice, bob, one = places.alice, places.bob, places.one;
local new_scene, made, room_says, check_all_go = places.new_scene, places.made, places.room_says, places.check_all_go;

scenes.test("a hook that waits within a relay is on no other coroutine's stack", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1, 2);
	local phone = scene.phone;
	phone.send = function () coroutine.yield("wait"); return true; end; -- a filter that never returns
	local thread = coroutine.create(function () fake.arrives(scene.server, scenes.groupchat("lost")); end);
	coroutine.resume(thread);
	phone.send = function () return true; end;
	check_all_go(scene, { { alice, one }, { bob, one } });
	-- In the same coroutine what is sent waits for the timer.
	stub.says.room_stanza = stub.relay_to(2);
	scene.desk.send = function ()
		stub.says.client_stanza = answer(made(alice, one, "1"), { kind = "forward", id = true });
		fake.client_sends(scene.server, phone, st.message({ to = one, type = "groupchat", id = "2" }));
		return true;
	end;
	fake.arrives(scene.server, scenes.groupchat());
	check.equal(#scene.sent, 0);
	scene.module:run_timers();
	check.list(scene.sent, { alice.." "..one.." 1", alice.." "..one.." 2" });
end);

scenes.test("the depth of a coroutine is its own while others come and go", function ()
	local scene = new_scene();
	local said = 0;
	scene.phone.send = function () coroutine.yield("wait"); return true; end;
	scene.desk.send = function () -- says something within the hook of a room
		said = said + 1;
		stub.says.client_stanza = answer({ kind = "forward", id = true });
		fake.client_sends(scene.server, scene.desk, st.message({ to = one, type = "groupchat", id = tostring(said) }));
		return true;
	end;
	local _, first = room_says(scene, "first", 1, 2, 1);
	local _, second = room_says(scene, "second", 1, 2, 1);
	check_all_go(scene, { { bob, one } });
	coroutine.resume(first);
	stub.says.room_stanza = stub.relay_to(99);
	fake.arrives(scene.server, scenes.groupchat("to nobody"));
	coroutine.resume(first); -- its hook is left
	stub.says.room_stanza = stub.relay_to(2);
	fake.arrives(scene.server, scenes.groupchat("not in a coroutine"));
	coroutine.resume(second);
	check.equal(said, 3);
	check.equal(#scene.sent, 0, "each within the hook of a room");
	scene.module:run_timers();
	check.list(scene.sent, { alice.." "..one.." 1", alice.." "..one.." 2", alice.." "..one.." 3" });
end);

scenes.test("a hook that goes on after others counts itself only", function ()
	local scene = new_scene();
	local deliver = { kind = "deliver", session = 1, stanza = st.message({ from = one }) };
	scene.phone.send = function () coroutine.yield("wait"); return true; end;
	local stanza = st.message({ to = one, type = "groupchat", id = "1" });
	local thread = coroutine.create(function ()
		stub.says.client_stanza = answer(deliver, { kind = "forward", id = true });
		fake.client_sends(scene.server, scene.bob, stanza);
	end);
	coroutine.resume(thread);
	scene.desk.send = function ()
		stub.says.client_stanza = answer(deliver);
		fake.client_sends(scene.server, scene.desk, st.message({ to = one, type = "groupchat", id = "2" }));
	end;
	room_says(scene, "two hooks deep", 2);
	local forwarded;
	function scene.server.send(sent) forwarded = sent; end
	coroutine.resume(thread);
	check.equal(forwarded and forwarded.attr.id, stanza.attr.id, "at once");
end);

scenes.test("an error that an error causes does not stay on the stack", function ()
	local scene = new_scene();
	scene.phone.send = function () error("broken"); end;
	stub.says.client_stanza = function () error("panic"); end;
	check.equal(fake.client_sends(scene.server, scene.phone, st.message({ to = one, id = "1" })), true);
	check.equal(logged(scene.server, "^error A stanza was dropped: .*broken"), 1);
	stub.says.client_stanza = answer({ kind = "forward", id = true });
	fake.client_sends(scene.server, scene.desk, st.message({ to = one, id = "2" }));
	check.list(scene.sent, { alice.." "..one.." 2" });
end);

scenes.test("after an error in sending, a relay goes on with the next session", function ()
	local scene = new_scene();
	local tried = 0;
	scene.desk.send = function ()
		tried = tried + 1;
		coroutine.yield("wait");
		error("broken");
	end;
	local _, thread = room_says(scene, "first", 1, 2, 1);
	room_says(scene, "second", 1);
	coroutine.resume(thread);
	check.equal(tried, 1, "the one that failed gets it once");
	check.equal(#scene.phone.received, 3);
end);

scenes.test("relays that wait for each other reach whom they are for, and give the stanzas back", function ()
	local scene = new_scene();
	local deliver = scene.phone.send;
	scene.phone.send = function (stanza) coroutine.yield("wait"); return deliver(stanza); end;
	local first, first_thread = room_says(scene, "first", 1, 2);
	local second, second_thread = room_says(scene, "second", 2, 1);
	local third = room_says(scene, "third", 2);
	check.equal(#scene.desk.received, 2);
	coroutine.resume(first_thread);
	coroutine.resume(second_thread);
	for _, stanza in ipairs({ first, second, third }) do check.equal(stanza.attr.to, alice, "given back"); end
	local texts = {};
	for _, session in ipairs({ scene.phone, scene.desk }) do
		for _, xml in ipairs(session.received) do table.insert(texts, session.resource..":"..xml:match("<body>(.-)<")); end
	end
	check.list(texts, { "phone:first", "phone:second", "desk:second", "desk:third", "desk:first" });
end);

scenes.test("a coroutine that dies within a hook leaves nothing behind", function ()
	local scene = new_scene();
	stub.says.room_stanza = stub.relay_to(1);
	scene.phone.send = function () coroutine.yield("wait"); end;
	local gone = setmetatable({}, { __mode = "k" });
	for _ = 1, 3 do
		local thread = coroutine.create(function () fake.arrives(scene.server, scenes.groupchat()); end);
		gone[thread] = true;
		coroutine.resume(thread);
	end
	check_all_go(scene, { { alice, one } });
	collectgarbage();
	collectgarbage();
	check.equal(next(gone), nil);
end);

check.done();
