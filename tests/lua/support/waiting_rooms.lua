-- Two accounts and rooms that make their hooks wait, with a core that says what the test wants.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local async = require "util.async"; -- found by way of the fake server

local st = fake.st;
local alice, bob, one = "alice@example.org", "bob@example.org", "one@rooms";
local waiting_rooms = { alice = alice, bob = bob, one = one, two = "two@rooms", three = "three@rooms" };

-- `sent` is what rooms took in, as account, room and id. A room in `slow` makes the sender wait before it does, until what
-- it puts into `waiting` is called.
function waiting_rooms.new_scene()
	local scene = scenes.new();
	scene.bob = fake.session(scene.server, "bob", "phone");
	scene.sent, scene.slow, scene.waiting = {}, {}, {};
	function scene.server.send(stanza)
		local room, id = stanza.attr.to:match("^[^/]+"), stanza.attr.id;
		if scene.slow[room] then
			local wait, done = async.waiter();
			table.insert(scene.waiting, done);
			wait();
		end
		if id == "bad" then error("no such room"); end
		table.insert(scene.sent, stanza.attr.from.." "..room.." "..id);
	end
	return scene;
end

-- An action of the core.
function waiting_rooms.made(account, room, id)
	return { kind = "send", stanza = st.presence({ from = account, to = room.."/me", id = id }) };
end

-- A session sends something for which the core gives that answer, in a coroutine as in Prosody. Says whether the hook has
-- returned, and gives the stanza.
function waiting_rooms.sends(scene, session, says, room, id)
	stub.says.client_stanza = says;
	local stanza = st.message({ to = room or one, type = "groupchat", id = id or "any" });
	local returned = false;
	async.runner(function ()
		fake.client_sends(scene.server, session, stanza);
		returned = true;
	end):run(true);
	return returned, stanza;
end

-- A session says something in a room.
function waiting_rooms.says(scene, session, room, id)
	return waiting_rooms.sends(scene, session, scenes.answer({ kind = "forward", id = true }), room, id);
end

-- A room says something to these sessions, in a coroutine of its own.
function waiting_rooms.room_says(scene, text, ...)
	stub.says.room_stanza = stub.relay_to(...);
	local stanza = scenes.groupchat(text);
	local thread = coroutine.create(function () fake.arrives(scene.server, stanza); end);
	coroutine.resume(thread);
	return stanza, thread;
end

-- What is said and made for these accounts and rooms arrives at once, and nothing else.
function waiting_rooms.check_all_go(scene, places)
	scene.sent = {};
	local expected = {};
	for _, place in ipairs(places) do
		local account, room = place[1], place[2];
		local session = account == alice and scene.desk or scene.bob;
		check.equal(waiting_rooms.says(scene, session, room, "said"), true);
		check.equal(waiting_rooms.sends(scene, session, scenes.answer(waiting_rooms.made(account, room, "made"))), true);
		table.insert(expected, account.." "..room.." said");
		table.insert(expected, account.." "..room.." made");
	end
	check.list(scene.sent, expected);
	scene.sent = {};
end

return waiting_rooms;
