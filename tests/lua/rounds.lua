-- A whole life of the module with the real core, again and again: load, join, traffic, reload, traffic, unload.
-- The argument is how often; scripts/memcheck compares 10 rounds with 30.

local check = require "support.check";
local fake = require "support.prosody";
local joined = require "support.joined";

local rounds = tonumber(arg[1]) or 10;

-- A session is shown what the room says, and nothing else.
local function traffic(server)
	local received = 0;
	local session = server.hosts["example.org"].sessions.alice.sessions.session1;
	function session.send() received = received + 1; return true; end
	for _, stanza in ipairs({ joined.message, joined.presence }) do
		for _ = 1, 3 do joined.event(server, stanza)(); end
	end
	joined.event(server, joined.message, "bob@example.net/desk")();
	local log = joined.logged_event(server);
	for _ = 1, 3 do log(); end
	server.module:run_timers();
	check.equal(received, 9);
end

local function round()
	local server = joined.server(2, { minimix_archive = "all" });
	traffic(server);
	local loaded = fake.reload(server, server.module);
	server.module = loaded;
	loaded.ready();
	loaded:run_timers();
	traffic(server);
	loaded.unload();
	check.equal(#server.archives.data.minimix_log[joined.room], 4, "what is said is logged, once");
	for _, line in ipairs(server.log) do check.equal(line:match("^error") or line:match("^warn"), nil, line); end
end

check.test("what a life of the module leaves to Lua does not grow", function ()
	local function left()
		round();
		collectgarbage();
		collectgarbage();
		return collectgarbage("count");
	end
	left();
	local before, after = left(), nil;
	for _ = 1, rounds do after = left(); end
	check.equal(after - before < 1, true, ("%.2f KiB after %d rounds"):format(after - before, rounds));
end);

-- A core that is closed gives back all that was shared, so that memcheck finds as much in use after many rounds as after few.
check.test("a crowded room is left", function ()
	local server = joined.server(1);
	for i = 1, 1100 do joined.event(server, joined.presence, joined.room.."/occupant"..i)(); end
	server.module.unload();
end);

-- When the state is closed, this finalizer runs after those of the core's functions.
local late = setmetatable({}, { __gc = function (self) self.core.occupies(joined.account, joined.room); end });
late.core = require "minimix_core".open({}, ("s"):rep(32), {});

check.done();
