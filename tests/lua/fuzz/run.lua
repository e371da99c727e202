-- Anything happens to the whole module in a real Lua: nothing breaks, it goes on afterwards, and no call costs more than it
-- pays for.
--
--   lua5.4 tests/lua/fuzz/run.lua stories COUNT SEED
--   lua5.4 tests/lua/fuzz/run.lua seconds COUNT SEED
--
-- Stories that failed once are in tests/lua/fuzz/corpus, and come first.

package.path = "tests/lua/?.lua;"..package.path;

local meter = require "fuzz.meter"; -- before anybody makes a coroutine
local check = require "support.check";
local stories = require "fuzz.stories";

local STEPS = 150;
local unit, most, seed = arg[1] or "stories", tonumber(arg[2]) or 60, tonumber(arg[3]) or 1;

local calls, dearest = 0, {};

local function note(played)
	calls = calls + (played.calls or 0);
	for kind, percent in pairs(played.dearest or {}) do dearest[kind] = math.max(dearest[kind] or 0, percent); end
end

local function fail(name, story, fault)
	print(name..": "..fault);
	print(table.concat(stories.shrink(story, fault), "\n"));
	os.exit(1);
end

local function corpus()
	local found = {};
	local listing = io.popen("ls tests/lua/fuzz/corpus/*.txt 2>/dev/null");
	for path in listing:lines() do
		local story = {};
		for line in io.lines(path) do
			if not line:find("^%-%-") then table.insert(story, line); end
		end
		table.insert(found, { path, story });
	end
	listing:close();
	return found;
end

for _, known in ipairs(corpus()) do
	local fault, played = stories.play(known[2]);
	note(played);
	if fault then fail(known[1], known[2], fault); end
end

local begun_s, count = os.time(), 0;
while (unit == "seconds" and os.time() - begun_s or count) < most do
	local story = stories.make(seed + count, STEPS);
	local fault, played = stories.play(story);
	note(played);
	if fault then fail("seed "..seed + count, story, fault); end
	count = count + 1;
end

print(("%d stories, %d calls; of what it may, each kind has cost at most:"):format(count, calls));
local kinds = {};
for kind in pairs(dearest) do table.insert(kinds, kind); end
table.sort(kinds);
for _, kind in ipairs(kinds) do print(("%6d %%  %s"):format(dearest[kind], kind)); end
if meter.of(function () for _ = 1, 1000 do end end) == 0 then error("nothing was counted", 0); end
check.exit(true);
