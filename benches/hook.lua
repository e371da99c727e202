-- What the whole hook costs, from Prosody's event to the sessions, against what Prosody spends to send.
--
--   lua5.4 benches/hook.lua      from the top of the checkout, with the core in LUA_CPATH
--
-- Time is CPU time without the collector; garbage is what an operation leaves to it; instructions are counted by
-- valgrind, if it is there. Sending is what Prosody's sessionmanager does, up to the socket: the tag for the log,
-- the filters, the text. In the operations of ours sending costs nothing, so that they show our own part.

package.path = "tests/lua/?.lua;"..package.path;

local check = require "support.check";
local fake = require "support.prosody";
local filters = require "util.filters";
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

-- A session that sends as Prosody's do, into nothing.
local function sending_session()
	local session = { type = "c2s", full_jid = alice.."/phone", log = function () end };
	local filter = filters.initialize(session);
	local function write() return true; end
	function session.rawsend(text)
		text = filter("bytes/out", tostring(text));
		return text == nil or write(text);
	end
	function session.send(stanza)
		session.log("debug", "Sending[%s]: %s", session.type, stanza:top_tag());
		stanza = filter("stanzas/out", stanza);
		return stanza == nil or session.rawsend(stanza);
	end
	return session;
end

local function self_presence(id)
	return st.presence({ from = room.."/alice", id = id }):tag("x", { xmlns = xmlns_muc.."#user" })
		:tag("item", { affiliation = "none", role = "participant" }):up():tag("status", { code = "110" }):up():up();
end

-- The account is in the room, with that many sessions whose sending costs nothing.
local function joined(count)
	local server = fake.server();
	local module = fake.load(server);
	module.ready();
	local join_id;
	function server.send(stanza)
		join_id = stanza.name == "presence" and stanza.attr.id or join_id;
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
	return server;
end

local function event_of(server, stanza, from)
	stanza = st.clone(stanza);
	stanza.attr.from = from or stanza.attr.from;
	local event = { origin = server.hosts["rooms.example.org"], stanza = stanza };
	local fire_event, name = server.hosts["example.org"].events.fire_event, stanza.name.."/bare";
	return function () fire_event(name, event); end
end

local cases = {
	{ "session.send of a message", function ()
		local session = sending_session();
		return function () session.send(message); end
	end };
	{ "session.send of a presence", function ()
		local session = sending_session();
		return function () session.send(presence); end
	end };
	{ "an event that nobody hooks", function ()
		return event_of(fake.server(), message);
	end };
	{ "a message that is not ours", function ()
		local server = fake.server();
		fake.load(server);
		return event_of(server, message, "bob@example.net/desk");
	end };
	{ "a message to 2 sessions", function () return event_of(joined(2), message); end, sends = { 1, 2 } };
	{ "a message to 5 sessions", function () return event_of(joined(5), message); end, sends = { 1, 5 } };
	{ "a presence to 2 sessions", function () return event_of(joined(2), presence); end, sends = { 2, 2 } };
};

-- Under valgrind: one case, that many times.
if arg[1] == "--run" then
	local run = cases[tonumber(arg[2])][2]();
	for _ = 1, tonumber(arg[3]) do run(); end
	return;
end

local function nanoseconds(run)
	collectgarbage();
	collectgarbage("stop");
	local best = math.huge;
	for _ = 1, 15 do
		local start = os.clock();
		for _ = 1, 2000 do run(); end
		best = math.min(best, os.clock() - start);
		collectgarbage();
	end
	collectgarbage("restart");
	return best / 2000 * 1e9;
end

local lua_version = _VERSION:match("%d+%.%d+");

local function counted(case, count)
	local command = "valgrind --tool=callgrind --callgrind-out-file=/dev/null lua%s benches/hook.lua --run %d %d 2>&1";
	local process = io.popen(command:format(lua_version, case, count));
	local output = process:read("*a");
	process:close();
	local digits = (output:match("refs:%s*([%d,]+)") or ""):gsub(",", "");
	return tonumber(digits);
end

local function instructions(case)
	local few, many = counted(case, 1000), counted(case, 3000);
	return few and many and (many - few) / 2000;
end

local results = {};
print(("%-30s %9s %10s %9s   %s"):format("", "ns", "garbage B", "instr", "of as many sends, by time and by instr"));

local function measure(position, case)
	local ready, run = pcall(case[2]);
	if not ready then return print(("%-30s %s"):format(case[1], run)); end
	local result = { ns = nanoseconds(run), garbage = check.garbage(run), instr = instructions(position) };
	results[position] = result;
	local ratio = "";
	if case.sends then
		local send, count = results[case.sends[1]], case.sends[2];
		ratio = ("%.2f %%"):format(100 * result.ns / send.ns / count);
		if result.instr then ratio = ratio..(", %.2f %%"):format(100 * result.instr / send.instr / count); end
	end
	print(("%-30s %9.0f %10.1f %9s   %s"):format(
		case[1], result.ns, result.garbage, result.instr and ("%.0f"):format(result.instr) or "-", ratio));
end

for position, case in ipairs(cases) do measure(position, case); end
