-- What makes much garbage in a short time would have Lua's collector go through all that the server holds again and
-- again: Prosody has it begin anew as soon as the memory has grown by 5 %. Meanwhile it begins more rarely.

local add_task = require "util.timer".add_task;
local stop_task = require "util.timer".stop;

local garbage_kb = 16 * 1024; -- and a quarter of what is held, before it begins anew
local most_percent = 1000; -- Lua takes no more
local patience_s = 60; -- with what may never end

local use = module:shared("/*/minimix/collector"); -- of all hosts: how many want it so, how it is usually and meanwhile

local function percent()
	return math.min(most_percent, math.floor(125 + 100 * garbage_kb / collectgarbage("count")));
end

local function begin()
	use.count = (use.count or 0) + 1;
	if use.count > 1 then return; end
	use.usual = collectgarbage("setpause", 100);
	local meanwhile = math.max(use.usual, percent());
	collectgarbage("setpause", meanwhile);
	use.meanwhile = collectgarbage("setpause", meanwhile); -- Lua rounds it
end

local function finish()
	use.count = use.count - 1;
	if use.count > 0 then return; end
	local found = collectgarbage("setpause", use.usual);
	if found ~= use.meanwhile then collectgarbage("setpause", found); end -- the server's configuration was reloaded
end

-- Gives the function that has it begin as usual.
return function ()
	begin();
	local is_usual, task = false, nil;
	local function as_usual()
		if is_usual then return; end
		is_usual = true;
		stop_task(task);
		finish();
	end
	task = add_task(patience_s, as_usual);
	return as_usual;
end
