-- What the core can't read, with the real core: whom it reaches all the same.

local check = require "support.check";
local fake = require "support.prosody";
local joined = require "support.joined";

local st = fake.st;

-- A server whose two sessions are in the room, and what they receive from now on.
local function listening()
	local server = joined.server(2);
	local received = {};
	for _, session in pairs(server.hosts["example.org"].sessions.alice.sessions) do
		session.send = function (stanza)
			table.insert(received, stanza.attr.to);
			return true;
		end;
	end
	return server, received;
end

local function arrives(server, stanza)
	local before, count = stanza.attr.to, #stanza;
	check.equal(fake.arrives(server, stanza), true, "nobody else gets it");
	check.equal(stanza.attr.to, before, "given back");
	check.equal(#stanza, count, "unchanged");
end

local function message(child)
	local stanza = st.message({ from = joined.room.."/bob", to = joined.account, type = "groupchat" }):body("hi");
	if child then table.insert(stanza, child); end
	return stanza;
end

local function too_large(stanza)
	for _ = 1, 10001 do stanza:tag("a"):up(); end
	return stanza;
end

local function forged(by)
	return message():tag("stanza-id", { xmlns = "urn:xmpp:sid:0", by = by, id = "1" }):up();
end

local ours = { joined.account.."/session1", joined.account.."/session2" };

check.test("a message that can't be read reaches the sessions that have been shown the room", function ()
	local server, received = listening();
	for what, stanza in pairs({
		["too large"] = too_large(message()), ["a child that is a number"] = message(5),
		["a child that is nothing"] = message({}), ["no text"] = message("\255"),
		["a stanza-id by the room"] = too_large(forged(joined.room)),
	}) do
		arrives(server, stanza);
		check.list(received, ours, what);
		received[1], received[2] = nil, nil;
	end
	arrives(server, joined.message_again());
	check.list(received, ours, "the room goes on");
end);

check.test("it does not if it claims to have been archived by the account", function ()
	local server, received = listening();
	arrives(server, too_large(forged(joined.account)));
	check.list(received, {});
end);

check.test("it does not if somebody in the room is blocked", function ()
	local server, received = listening();
	server.blocked.alice = { [joined.room.."/eve"] = true };
	local block = st.iq({ type = "set", id = "b" });
	local phone = server.full_sessions[ours[1]];
	fake.fires(server, "iq-set/self/urn:xmpp:blocking:block", { origin = phone, stanza = block });
	server.module:run_timers();
	arrives(server, too_large(message()));
	check.list(received, {});
	arrives(server, joined.message_again());
	check.list(received, ours, "what can be read does");
end);

check.test("it does not reach a session that waits for the room", function ()
	local server = fake.server();
	fake.load(server).ready();
	local phone = fake.session(server, "alice", "phone");
	fake.client_sends(server, phone, st.presence({ to = joined.room.."/alice", id = "join" })
		:tag("x", { xmlns = "http://jabber.org/protocol/muc" }):up());
	arrives(server, too_large(message()));
	check.list(phone.received, {});
end);

check.done();
