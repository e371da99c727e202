-- What a call costs in Lua: instructions of its machine, and bytes. Both are the same on every machine.

local meter = {};

local GRAIN = 100; -- a hook counts so many instructions at once
local count = 0;

local function tick() count = count + GRAIN; end

local create = coroutine.create;

-- Coroutines that are made from now on are counted as well.
function coroutine.create(work) -- luacheck: ignore 122
	local thread = create(work);
	debug.sethook(thread, tick, "", GRAIN);
	return thread;
end

function coroutine.wrap(work) -- luacheck: ignore 122
	local thread = coroutine.create(work);
	return function (...)
		local results = table.pack(coroutine.resume(thread, ...));
		if not results[1] then error(results[2], 0); end
		return table.unpack(results, 2, results.n);
	end;
end

local free_count, free_bytes = 0, 0;

-- Does within a call what is not to be counted.
function meter.free(work, ...)
	local count_before, before = count, collectgarbage("count");
	local results = table.pack(work(...));
	free_count = free_count + count - count_before;
	free_bytes = free_bytes + collectgarbage("count") - before;
	return table.unpack(results, 1, results.n);
end

-- Gives instructions, kilobytes, and what pcall gives. The collector rests meanwhile, unless the call itself runs it.
function meter.of(call, ...)
	collectgarbage("stop");
	local before = collectgarbage("count");
	count, free_count, free_bytes = 0, 0, 0;
	debug.sethook(tick, "", GRAIN);
	local ok, result = pcall(call, ...);
	debug.sethook();
	local instructions, grown = count - free_count, collectgarbage("count") - before - free_bytes;
	collectgarbage("restart");
	return instructions, grown, ok, result;
end

return meter;
