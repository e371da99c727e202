-- Test only. Loads mod_minimix on its host unless `lab_loads_minimix` is false, and measures what that stores and how long
-- the server is held meanwhile.
--
--	<gauge xmlns="urn:lab:gauge"/>                  in a query to the host: what was measured since the last one, as JSON
--	<gauge xmlns="urn:lab:gauge" collect="1"/>      the same, after all garbage is collected
--	<gauge xmlns="urn:lab:gauge" does="reload"/>    the module is loaded anew; or "unload": it goes; or "plain": as much as
--	                                                is sent and written for that is sent and written by nothing but a loop

local st = require "util.stanza";
local json = require "util.json";
local now = require "util.time".now;
local poll = require "util.poll";
local modulemanager = require "core.modulemanager";

local xmlns = "urn:lab:gauge";

local stores = { minimix = true, minimix_host = true, minimix_log = true };
local counted = {}; -- by store and method: how often, and how long the longest took
local held = { wall = 0, cpu = 0 }; -- the longest time in which it did one thing, by the clock and by the processor

local function note(name, begun)
	local took = now() - begun;
	local entry = counted[name] or { count = 0, longest = 0 };
	counted[name] = entry;
	entry.count, entry.longest = entry.count + 1, math.max(entry.longest, took);
end

-- What gives all items in a row: whoever asks for the first waits for all.
local function all_of(name, store, method)
	local begun = now();
	local items = {};
	for item in method(store) do table.insert(items, item); end
	note(name, begun);
	local position = 0;
	return function ()
		position = position + 1;
		return items[position];
	end;
end

local function watched(store, store_name)
	return setmetatable({}, { __index = function (_, key)
		local method = store[key];
		if type(method) ~= "function" then return method; end
		local name = store_name.."."..key;
		if key == "users" then return function () return all_of(name, store, method); end; end
		return function (_, ...)
			local begun = now();
			local result, fault = method(store, ...);
			note(name, begun);
			return result, fault;
		end;
	end });
end

module:hook("store-opened", function (event)
	if stores[event.store_name] then event.store = watched(event.store, event.store_name); end
end, -1);

-- The loop serves one connection, or all timers that are due, and then looks for what comes next.
local begun_wall, begun_cpu;
local methods = getmetatable(poll.new()).__index;
local wait = methods.wait;

local function note_held()
	if begun_cpu == nil then return; end
	held.wall = math.max(held.wall, now() - begun_wall);
	held.cpu = math.max(held.cpu, os.clock() - begun_cpu);
end

local function go_on(...)
	begun_wall, begun_cpu = now(), os.clock();
	return ...;
end

function methods.wait(...)
	note_held();
	return go_on(wait(...));
end

-- A leave of each account from each of its rooms is sent, and what is stored of it is written once more.
local function send_and_write()
	local keyval, map = module:open_store("minimix"), module:open_store("minimix", "map");
	for username in keyval:users() do
		local records = keyval:get(username) or {};
		for room in pairs(records) do
			module:send(st.presence({ type = "unavailable", from = username.."@"..module.host, to = room.."/nick", id = "leave" }));
		end
		map:set_keys(username, records);
	end
end

local function perform(does)
	if does == "plain" then return send_and_write(); end
	assert(modulemanager[does](module.host, "minimix"));
end

module:hook("iq-get/host/"..xmlns..":gauge", function (event)
	local collects = event.stanza.tags[1].attr.collect;
	local report = { stores = counted, held = held };
	local does = event.stanza.tags[1].attr.does;
	if does then
		local since, worked = now(), os.clock();
		perform(does);
		report.took, report.worked = now() - since, os.clock() - worked;
	end
	if collects then
		collectgarbage();
		collectgarbage();
		begun_cpu = nil; -- that was not the module
	end
	report.lua_bytes = math.floor(collectgarbage("count") * 1024);
	event.origin.send(st.reply(event.stanza):text_tag("gauge", json.encode(report), { xmlns = xmlns }));
	counted, held = {}, { wall = 0, cpu = 0 };
	return true;
end);

if module:get_option_boolean("lab_loads_minimix", true) then modulemanager.load(module.host, "minimix"); end
