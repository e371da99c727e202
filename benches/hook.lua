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
local joined = require "support.joined";

local message, presence = joined.message, joined.presence;

-- A session that sends as Prosody's do, into nothing.
local function sending_session()
	local session = { type = "c2s", full_jid = joined.account.."/phone", log = function () end };
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
		return joined.event(fake.server(), message);
	end };
	{ "a message that is not ours", function ()
		local server = fake.server();
		fake.load(server);
		return joined.event(server, message, "bob@example.net/desk");
	end };
	{ "a message to 2 sessions", function () return joined.event(joined.server(2), message); end, sends = { 1, 2 } };
	{ "a message to 5 sessions", function () return joined.event(joined.server(5), message); end, sends = { 1, 5 } };
	{ "a presence to 2 sessions", function () return joined.event(joined.server(2), presence); end, sends = { 2, 2 } };
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
