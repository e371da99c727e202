-- What the whole hook costs, from Prosody's event to the sessions, against what Prosody spends to send.
--
--   lua5.4 benches/hook.lua            from the top of the checkout, with the core in LUA_CPATH
--   lua5.4 benches/hook.lua --check    fails if instructions or garbage are more than what is allowed here
--   lua5.4 benches/hook.lua --send     only how many nanoseconds Prosody spends to send a message, and a presence
--
-- Time is CPU time without the collector; garbage is what an operation leaves to it; instructions are counted by
-- valgrind, if it is there. Sending is what Prosody's sessionmanager does, up to the socket: the tag for the log,
-- the filters, the text. An operation of ours is the whole of it, Prosody's event included; only sending costs
-- nothing there. docs/performance.md tells what came out.

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

local function shown_to_another(count, stanza)
	return function () return joined.event(joined.watched(joined.server(count)), stanza); end
end

local SEND_MESSAGE, SEND_PRESENCE, NOBODY = 1, 2, 3;

local function to_sessions(count, stanza)
	return function () return joined.event(joined.server(count), stanza); end
end

local needed, all = { minimix_archive = "needed" }, { minimix_archive = "all" };

-- Of each: what it is called, what gives a function that does it once, and what that is compared with. `most` is how
-- many percent of so many sends it may cost, and `garbage` how many bytes it may leave.
local cases = {
	{ "session.send of a message", function ()
		local session = sending_session();
		return function () session.send(message); end
	end };
	{ "session.send of a presence", function ()
		local session = sending_session();
		return function () session.send(presence); end
	end };
	{ "an event that nobody hooks", function () return joined.event(fake.server(), message); end };
	{ "a message that is not ours", function ()
		local server = fake.server();
		fake.load(server);
		return joined.event(server, message, "bob@example.net/desk");
	end, more_than = NOBODY };
	{ "a message to 2 sessions", to_sessions(2, message), sends = SEND_MESSAGE, count = 2, most = 7 };
	{ "a message to 5 sessions", to_sessions(5, message), sends = SEND_MESSAGE, count = 5, most = 3.2 };
	{ "a presence to 2 sessions", to_sessions(2, presence), sends = SEND_PRESENCE, count = 2, most = 9 };
	{ "no history: to 2 sessions", to_sessions(2, passing), sends = SEND_MESSAGE, count = 2 };
	{ "archived by the room: to 2", function () return joined.event(joined.server(2, needed), message); end,
		sends = SEND_MESSAGE, count = 2, most = 7.4 };
	{ "logged for another account: to 2", function () return joined.event(joined.server(2, all), message); end,
		sends = SEND_MESSAGE, count = 2, most = 45, garbage = 6500 };
	{ "logged: to 2 sessions", function () return joined.logged_event(joined.server(2, all)); end,
		sends = SEND_MESSAGE, count = 2, most = 60, garbage = 8200 };
	{ "a message, to another module", shown_to_another(2, message), sends = SEND_MESSAGE, count = 2, most = 8.2 };
	{ "a presence, to another module", shown_to_another(2, presence), sends = SEND_PRESENCE, count = 2, most = 10.1 };
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

local checks = arg[1] == "--check"; -- time is none of its business
local results, faults = {}, {};

local function percent(number, other, count)
	return 100 * number / other / count;
end

local function ratio(result, case)
	local other = results[case.sends];
	local by_time = result.ns and ("%.1f %%"):format(percent(result.ns, other.ns, case.count)) or "-";
	local by_instructions = result.instr and ("%.2f %%"):format(percent(result.instr, other.instr, case.count)) or "-";
	return ("%s / %s of %d sends"):format(by_time, by_instructions, case.count);
end

local function difference(result, other)
	local by_time = result.ns and ("%+.0f ns"):format(result.ns - other.ns) or "-";
	local by_instructions = result.instr and ("%+.0f instr"):format(result.instr - other.instr) or "-";
	return ("%s / %s over an event that nobody hooks"):format(by_time, by_instructions);
end

local function measured(position, run)
	local result = { instr = instructions(position), garbage = check.garbage(run) };
	if checks then
		if not result.instr then error("valgrind does not count instructions", 0); end
	else
		result.ns = nanoseconds(run);
	end
	return result;
end

-- What is more than it may be.
local function compare_with_limits(case, result)
	local name, most = case[1], case.most;
	local is_ours = case.sends or case.more_than;
	if is_ours and result.garbage > (case.garbage or 0) then
		table.insert(faults, ("%s: %.0f B of garbage"):format(name, result.garbage));
	end
	if not (most and result.instr) then return; end
	if percent(result.instr, results[case.sends].instr, case.count) > most then
		table.insert(faults, ("%s: more than %g %% of %d sends"):format(name, most, case.count));
	end
end

local function measure(position, case)
	local ready, run = pcall(case[2]);
	if not ready then return table.insert(faults, ("%s: %s"):format(case[1], run)); end
	local result = measured(position, run);
	results[position] = result;
	local compared = "";
	if case.sends then compared = ratio(result, case); end
	if case.more_than then compared = difference(result, results[case.more_than]); end
	compare_with_limits(case, result);
	local function number(format, value) return value and format:format(value) or "-"; end
	print(("%-32s %8s %9s %8s   %s"):format(case[1], number("%.0f", result.ns), number("%.0f B", result.garbage),
		number("%.0f", result.instr), compared));
end

print(("%-32s %8s %9s %8s   %s"):format("", "ns", "garbage", "instr", "by time / by instr"));
for position, case in ipairs(cases) do measure(position, case); end
for _, fault in ipairs(faults) do print(fault); end
os.exit(not (checks and faults[1]));
