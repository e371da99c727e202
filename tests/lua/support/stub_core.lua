-- A core that says what a test tells it to, in the place of the library.

local version = io.open("Cargo.toml"):read("*a"):match('\nversion = "([^"]+)"');
local stub = { VERSION = version, LUA = _VERSION:match("%d+%.%d+"), calls = {}, says = {} };
package.loaded.minimix_core = stub;

local names = {
	"client_stanza", "room_stanza", "delivery_failed", "occupies", "session_unavailable", "session_hibernated",
	"session_resumed", "session_gone", "already_in", "abandoned", "wake", "shutdown", "snapshot", "close",
	"stanza_to_session", "blocks", "configured", "hand_back",
	"account_gone", "watches", "avatar", "service_lost", "rooms", "blocking_accounts",
	"fallback_receivers", "stream_begun", "stream_settled", "is_ourselves", "loaded", "host_loaded", "host_gone",
	"host_record", "stream_established", "service_answered", "bookmark_changed", "bookmarks_purged", "logged_in",
	"logged", "log_pauses", "log_ends", "log_fails", "log_settled", "reads_log",
	"pushed", "push_changed", "rules_read", "displayed", "push_ruling",
};

-- The arguments of a call without the clocks and the stanza, as text.
local function arguments_of(...)
	local list = {};
	for i = 1, select("#", ...) do
		local value = select(i, ...);
		if math.type(value) ~= "float" and type(value) ~= "table" then table.insert(list, tostring(value)); end
	end
	return table.concat(list, " ");
end

-- Those that are called without protection: they never raise an error.
local unprotected = {};
for _, name in ipairs({ "client_stanza", "room_stanza", "stanza_to_session",
	"watches", "delivery_failed", "occupies", "is_ourselves", "push_ruling" }) do
	unprotected[name] = true;
end

-- What the core gives back: a table or a string is a report, which has to be fetched.
local function given(says)
	if type(says) ~= "table" and type(says) ~= "string" then return says; end
	stub.report = says;
	return false;
end

local function call(name, ...)
	local says = stub.says[name];
	if type(says) ~= "function" then return given(says); end
	if not unprotected[name] then return given(says(...)); end
	local ok, answer = pcall(says, ...);
	if not ok then return false; end
	return given(answer);
end

-- Questions that are answered by a list.
local lists = { rooms = true, blocking_accounts = true, fallback_receivers = true };

local function list(name, ...)
	local says = stub.says[name] or {};
	if type(says) == "function" then return says(...); end
	return says;
end

function stub.open(options, seed, metatable, snapshot)
	stub.options, stub.seed, stub.metatable, stub.opened_with = options, seed, metatable, snapshot;
	local host = {};
	for _, name in ipairs(names) do
		host[name] = function (...)
			if name == "host_record" then return "alive"; end
			if lists[name] then return list(name, ...); end
			if stub.records then table.insert(stub.calls, name.." "..arguments_of(...)); end
			if name == "snapshot" then return stub.says.snapshot; end
			return call(name, ...);
		end;
	end
	-- Who is shown a stanza of a room, unless a test says otherwise: the first session, if it is for all.
	local is_closed = false;
	local function shown_for(_, _, of_type)
		if is_closed then return nil; end
		if stub.says.shown_for then return stub.says.shown_for; end
		if of_type == "subscribe" then return nil; end
		return (of_type == "error" or of_type == "result") and 0 or 1;
	end
	host.message_shown_for, host.presence_shown_for, host.iq_shown_for = shown_for, shown_for, shown_for;
	function host.last_stand_in() return stub.says.last_stand_in; end
	function host.blocks_sender() return stub.says.blocks_sender or false; end
	function host.has_more() return stub.says.has_more ~= nil and stub.says.has_more(); end
	function host.logged_rooms() return stub.says.logged_rooms or {}; end
	function host.logged_intervals(...)
		if stub.says.logged_intervals then return stub.says.logged_intervals(...); end
		return nil;
	end
	function host.sees_logged(...)
		if stub.says.sees_logged then return stub.says.sees_logged(...); end
		return true;
	end
	local close = host.close;
	function host.close()
		is_closed = true;
		return close();
	end
	function host.report()
		local report = stub.report;
		stub.report = nil;
		return report;
	end
	return host;
end

-- An answer about a stanza of a room: relay it to these sessions.
function stub.relay_to(...)
	local sessions = { ... };
	return function (_, _, _, receivers)
		if not receivers then
			local ids = {};
			for i in ipairs(sessions) do ids[i] = true; end
			return { handled = true, actions = { { kind = "relay", sessions = sessions, ids = ids } } };
		end
		for i = 1, #sessions do receivers[i] = sessions[i]; end
		return #sessions;
	end;
end

function stub.reset()
	stub.calls, stub.says, stub.records, stub.report = {}, {}, true, nil;
end

return stub;
