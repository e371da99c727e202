-- An account that is in a room, by way of the whole module, and what usually comes from that room.

local fake = require "support.prosody";
local parse = require "util.xml".parse;

local st = fake.st;
local room, alice = "lounge@rooms.example.org", "alice@example.org";
local xmlns_muc = "http://jabber.org/protocol/muc";

local message = assert(parse((([[<message xmlns='jabber:client' type='groupchat' id='6e1b7c0a-41d5-4f0e-9a68-2c9fae01b3d7'
	from='%s/bob' to='%s' xml:lang='en'><body>This is what a usual message in a usual room looks like.</body>
	<active xmlns='http://jabber.org/protocol/chatstates'/><origin-id xmlns='urn:xmpp:sid:0' id='6e1b7c0a-41d5-4f0e-9a68'/>
	<stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='2b8VrZ0c-x9e2Qm1b1hG7fZkD'/>
	<occupant-id xmlns='urn:xmpp:occupant-id:0' id='4f0e9a682c9fae01b3d74f0e9a682c9fae01b3d7'/></message>]])
	:format(room, alice, room):gsub(">%s+<", "><"))));

local presence = assert(parse((([[<presence xmlns='jabber:client' from='%s/bob' to='%s' xml:lang='en'><show>away</show>
	<status>gone for lunch</status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example/'
	ver='QgayPKawpkPSDYmwT/WM94uAlu0='/><x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x>
	<occupant-id xmlns='urn:xmpp:occupant-id:0' id='4f0e9a682c9fae01b3d74f0e9a682c9fae01b3d7'/>
	<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='participant'/></x></presence>]])
	:format(room, alice):gsub(">%s+<", "><"))));

local function self_presence(id)
	return st.presence({ from = room.."/alice", id = id }):tag("x", { xmlns = xmlns_muc.."#user" })
		:tag("item", { affiliation = "none", role = "participant" }):up():tag("status", { code = "110" }):up():up();
end

-- The account is in the room, with that many sessions whose sending costs nothing.
local function server_with(count, options)
	local server = fake.server();
	local module = fake.load(server, options);
	server.module = module;
	module.ready();
	local join_id, query_id;
	function server.send(stanza)
		join_id = stanza.name == "presence" and stanza.attr.id or join_id;
		query_id = stanza.name == "iq" and stanza.attr.id or query_id;
	end
	for i = 1, count do
		local session = fake.session(server, "alice", "session"..i);
		fake.client_sends(server, session, st.presence({ to = room.."/alice", id = "join"..i })
			:tag("x", { xmlns = xmlns_muc }):up());
	end
	module:run_timers();
	local function arrive(stanza)
		stanza.attr.to = alice;
		return fake.arrives(server, stanza);
	end
	arrive(st.clone(presence));
	arrive(self_presence(join_id));
	arrive(st.message({ from = room.."/bob", type = "groupchat" }):tag("subject"):up());
	module:run_timers();
	local received = 0;
	for _, session in pairs(server.hosts["example.org"].sessions.alice.sessions) do
		session.send = function () received = received + 1; return true; end;
	end
	arrive(st.clone(message));
	if received ~= count then error("the account is not in the room", 0); end
	module:run_timers();
	if query_id then -- the room is asked what it is
		arrive(st.iq({ type = "result", from = room, id = query_id })
			:tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }):tag("feature", { var = "urn:xmpp:mam:2" }):reset());
	end
	local function send() return true; end
	for _, session in pairs(server.hosts["example.org"].sessions.alice.sessions) do session.send = send; end
	return server;
end

-- Another module is shown what comes for the sessions of that server.
local function watched(server)
	local add_handler = server.hosts["example.org"].events.add_handler;
	for _, kind in ipairs({ "message", "presence" }) do add_handler(kind.."/full", function () end, 50); end
	return server;
end

-- That message once more, to arrive.
local function message_again()
	local again = st.clone(message);
	again.attr.to = alice;
	return again;
end

-- Gives a function that lets the same stanza arrive again, for as little as possible.
local function event_of(server, stanza, from)
	stanza = st.clone(stanza);
	stanza.attr.from = from or stanza.attr.from;
	local event = { origin = server.hosts["rooms.example.org"], stanza = stanza };
	local fire_event, name = server.hosts["example.org"].events.fire_event, stanza.name.."/bare";
	return function () fire_event(name, event); end
end

-- The same message comes again and again, each time as one that is new, and to be logged: the room has no archive. What
-- waits to be written is written now and then.
local function logged_event_of(server)
	local stanza = st.clone(message);
	stanza:maptags(function (tag) return tag.attr.by == nil and tag or nil; end);
	local ids, count = {}, 0;
	for i = 1, 2000 do ids[i] = "6e1b7c0a-41d5-4f0e-9a68-"..i; end
	local event = { origin = server.hosts["rooms.example.org"], stanza = stanza };
	local fire_event, name = server.hosts["example.org"].events.fire_event, stanza.name.."/bare";
	return function ()
		count = count + 1;
		stanza.attr.id = ids[count % #ids + 1];
		fire_event(name, event);
		if count % 5000 == 0 then server.module:run_timers(); end
	end
end

return {
	account = alice, room = room, message = message, presence = presence;
	server = server_with, watched = watched, event = event_of, message_again = message_again;
	logged_event = logged_event_of;
};
