-- A server with the wrapper and a core that says what the test wants.

local check = require "support.check";
local fake = require "support.prosody";
local stub = require "support.stub_core";

local st = fake.st;
local scenes = { room = "lounge@rooms.example.org", alice = "alice@example.org" };

local is_watched = false;

-- A test that holds whether or not another module watches what comes for sessions: then the events are fired.
function scenes.test(name, run)
	check.test(name, run);
	is_watched = true;
	check.test(name..", and others watch", run);
	is_watched = false;
end

-- Two sessions of alice, which the core knows as 1 and 2, and no call on record.
function scenes.new(options)
	local server = fake.server();
	local scene = { server = server };
	stub.reset();
	scene.module = fake.load(server, options);
	scene.phone, scene.desk = fake.session(server, "alice", "phone"), fake.session(server, "alice", "desk");
	for _, session in ipairs({ scene.phone, scene.desk }) do
		fake.client_sends(server, session, st.message({ to = "x@y" }));
	end
	stub.calls = {};
	scene.watched = {};
	if is_watched then scenes.watch(scene); end
	return scene;
end

-- Has another module watch what comes for sessions.
function scenes.watch(scene)
	local events = scene.server.hosts["example.org"].events;
	for _, kind in ipairs({ "message", "presence", "iq" }) do
		events.add_handler(kind.."/full", function (event)
			if scene.watched then table.insert(scene.watched, event.stanza.name.." "..event.stanza.attr.to); end
		end, 50);
	end
end

function scenes.groupchat(text)
	return st.message({ from = scenes.room.."/bob", to = scenes.alice, type = "groupchat", id = "m1" }):body(text or "hi");
end

function scenes.to_room(text)
	return st.message({ to = scenes.room, type = "groupchat", id = "c1" }):body(text or "hi");
end

function scenes.answer(...)
	return { handled = true, actions = { ... } };
end

-- How many of those lines match.
function scenes.count(lines, pattern)
	local count = 0;
	for _, line in ipairs(lines) do
		if line:find(pattern) then count = count + 1; end
	end
	return count;
end

function scenes.logged(server, pattern)
	return scenes.count(server.log, pattern);
end

return scenes;
