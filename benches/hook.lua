-- What the whole hook costs, from Prosody's event to the sessions, against what Prosody spends to send.
--
--   lua5.4 benches/hook.lua      from the top of the checkout, with the core in LUA_CPATH
--
-- Time is CPU time without the collector; garbage is what an operation leaves to it; instructions are counted by
-- valgrind, if it is there. Sending is what Prosody's sessionmanager does, up to the socket: the tag for the log,
-- the filters, the text. In the operations of ours sending costs nothing, so that they show our own part.
-- docs/performance.md tells what came out.

package.path = "tests/lua/?.lua;"..package.path;

local check = require "support.check";
local fake = require "support.prosody";
local filters = require "util.filters";
local joined = require "support.joined";

local message, presence = joined.message, joined.presence;

-- As large, but nothing for the history.
local passing = fake.st.clone(message);
local hint = passing:get_child("active", "http://jabber.org/protocol/chatstates");
hint.name, hint.attr.xmlns = "no-store", "urn:xmpp:hints";

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

local SEND_MESSAGE, SEND_PRESENCE, NOBODY, MESSAGE_TO_2, TAKING_IN = 1, 2, 3, 5, 6;
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
	end, more_than = NOBODY };
	{ "a message to 2 sessions", function () return joined.event(joined.server(2), message); end, sends = SEND_MESSAGE, 2 };
	{ "- taking it in", function () return joined.taking_in(message); end, sends = SEND_MESSAGE, 2 };
	{ "a message to 5 sessions", function () return joined.event(joined.server(5), message); end, sends = SEND_MESSAGE, 5 };
	{ "a presence to 2 sessions", function () return joined.event(joined.server(2), presence); end, sends = SEND_PRESENCE, 2 };
	{ "no history: to 2 sessions", function () return joined.event(joined.server(2), passing); end, sends = SEND_MESSAGE, 2 };
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
print(("%-28s %8s %9s %8s   %s"):format("", "ns", "garbage", "instr", "by time / by instr"));

local function ratio(result, other, count)
	local by_time = ("%.1f %%"):format(100 * result.ns / other.ns / count);
	local by_instructions = result.instr and ("%.1f %%"):format(100 * result.instr / other.instr / count) or "-";
	return ("%s / %s of %d sends"):format(by_time, by_instructions, count);
end

local function difference(result, other)
	local by_instructions = result.instr and ("%+.0f instr"):format(result.instr - other.instr) or "-";
	return ("%+.0f ns / %s over an event that nobody hooks"):format(result.ns - other.ns, by_instructions);
end

local function measure(position, case)
	local ready, run = pcall(case[2]);
	if not ready then return print(("%-28s %s"):format(case[1], run)); end
	local result = { ns = nanoseconds(run), garbage = check.garbage(run), instr = instructions(position) };
	results[position] = result;
	local compared = "";
	if case.sends then compared = ratio(result, results[case.sends], case[3]); end
	if case.more_than then compared = difference(result, results[case.more_than]); end
	print(("%-28s %8.0f %7.0f B %8s   %s"):format(
		case[1], result.ns, result.garbage, result.instr and ("%.0f"):format(result.instr) or "-", compared));
end

for position, case in ipairs(cases) do measure(position, case); end

-- The sessions have the message before it is taken in.
local whole, taken_in, nobody = results[MESSAGE_TO_2], results[TAKING_IN], results[NOBODY];
if whole and taken_in then
	local relaying = { ns = whole.ns - taken_in.ns - nobody.ns };
	relaying.instr = whole.instr and whole.instr - taken_in.instr - nobody.instr;
	print(("\nuntil 2 sessions have it, Prosody's event aside: %s"):format(ratio(relaying, results[SEND_MESSAGE], 2)));
end
