-- What the whole hook costs, from Prosody's event to the sessions, against what Prosody spends to send.
--
--   lua5.4 benches/hook.lua            from the top of the checkout, with the core in LUA_CPATH
--   lua5.4 benches/hook.lua --check    fails if instructions are more than what is allowed here
--   lua5.4 benches/hook.lua --send     only how many nanoseconds Prosody spends to send a message, and a presence
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
	{ "a message to 2 sessions", function ()
		return joined.event(joined.server(2), message);
	end, sends = SEND_MESSAGE, 2, most = 9 };
	{ "- taking it in", function ()
		return joined.taking_in(message);
	end, sends = SEND_MESSAGE, 2 };
	{ "a message to 5 sessions", function ()
		return joined.event(joined.server(5), message);
	end, sends = SEND_MESSAGE, 5 };
	{ "a presence to 2 sessions", function ()
		return joined.event(joined.server(2), presence);
	end, sends = SEND_PRESENCE, 2, most = 12 };
	{ "no history: to 2 sessions", function ()
		return joined.event(joined.server(2), passing);
	end, sends = SEND_MESSAGE, 2 };
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

if arg[1] == "--send" then
	for _, case in ipairs({ cases[SEND_MESSAGE], cases[SEND_PRESENCE] }) do print(nanoseconds(case[2]())); end
	return;
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

local checks = arg[1] == "--check"; -- time and garbage are none of its business
local results, too_much = {}, false;

local function percent(number, other, count)
	return 100 * number / other / count;
end

-- Says what a result is of as many sends; in a check, whether it is more than the most that it may be.
local function ratio(result, other, count, most)
	local by_time = result.ns and ("%.1f %%"):format(percent(result.ns, other.ns, count)) or "-";
	if not result.instr then return ("%s / - of %d sends"):format(by_time, count); end
	local by_instructions = percent(result.instr, other.instr, count);
	local text = ("%s / %.1f %% of %d sends"):format(by_time, by_instructions, count);
	if not most or by_instructions <= most then return text; end
	too_much = true;
	return ("%s: more than %g %%"):format(text, most);
end

local function difference(result, other)
	local by_time = result.ns and ("%+.0f ns"):format(result.ns - other.ns) or "-";
	local by_instructions = result.instr and ("%+.0f instr"):format(result.instr - other.instr) or "-";
	return ("%s / %s over an event that nobody hooks"):format(by_time, by_instructions);
end

local function measured(position, run)
	local result = { instr = instructions(position) };
	if not checks then result.ns, result.garbage = nanoseconds(run), check.garbage(run); end
	if checks and not result.instr then error("valgrind does not count instructions", 0); end
	return result;
end

local function measure(position, case)
	local ready, run = pcall(case[2]);
	if not ready then
		too_much = true;
		return print(("%-28s %s"):format(case[1], run));
	end
	local result = measured(position, run);
	results[position] = result;
	local compared = "";
	if case.sends then compared = ratio(result, results[case.sends], case[3], case.most); end
	if case.more_than then compared = difference(result, results[case.more_than]); end
	local function number(format, value) return value and format:format(value) or "-"; end
	print(("%-28s %8s %9s %8s   %s"):format(case[1], number("%.0f", result.ns), number("%.0f B", result.garbage),
		number("%.0f", result.instr), compared));
end

print(("%-28s %8s %9s %8s   %s"):format("", "ns", "garbage", "instr", "by time / by instr"));
for position, case in ipairs(cases) do measure(position, case); end

-- The sessions have the message before it is taken in.
local whole, taken_in, nobody = results[MESSAGE_TO_2], results[TAKING_IN], results[NOBODY];
if whole and taken_in then
	local relaying = { ns = whole.ns and whole.ns - taken_in.ns - nobody.ns };
	relaying.instr = whole.instr and whole.instr - taken_in.instr - nobody.instr;
	local of_two = ratio(relaying, results[SEND_MESSAGE], 2, 2);
	print(("\n%s instructions until 2 sessions have a message, Prosody's event aside: %s"):format(relaying.instr or "-", of_two));
end

os.exit(not (checks and too_much));
