-- Makes stories, plays them, and cuts short those that fail. A story is a list of lines: what happens, and a seed.

local world = require "fuzz.world";

local stories = {};

function stories.make(seed, most)
	math.randomseed(seed);
	local story = { "joins "..math.random(2^31), "answers "..math.random(2^31) };
	for _ = 1, math.random(most) do
		table.insert(story, world.kinds[math.random(#world.kinds)].." "..math.random(2^31));
	end
	return story;
end

-- Gives the fault, if there is one, and the world.
function stories.play(story)
	local played = world.new();
	local ok, fault = pcall(function ()
		for _, line in ipairs(story) do
			local kind, seed = line:match("^(%S+) (%d+)$");
			played:step(kind, tonumber(seed));
		end
		played:check_goes_on();
	end);
	played.mood = "calm";
	pcall(played.module.unload);
	collectgarbage("collect"); -- finalizers find a module that is gone
	return not ok and (type(fault) == "string" and fault or "fault: an error that is no text") or nil, played;
end

local function kind_of(fault)
	return (fault:gsub("%d+", "#"));
end

local function without(story, from, length)
	local shorter = table.move(story, 1, from - 1, 1, {});
	return table.move(story, from + length, #story, from, shorter);
end

-- The shortest story found that fails in the same way.
function stories.shrink(story, fault)
	local length = #story;
	while length >= 1 do
		local from, before = 1, #story;
		while from <= #story do
			local shorter = without(story, from, length);
			local other = stories.play(shorter);
			if other and kind_of(other) == kind_of(fault) then story = shorter; else from = from + length; end
		end
		if length > 1 then length = length // 2; elseif #story == before then break; end
	end
	return story;
end

return stories;
