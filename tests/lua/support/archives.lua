-- Archive stores as Prosody has them, in memory. Where `fails` is a text, appending says so; `limit` is that of each
-- archive, and `caps` are those of all. One that `counts` tells how many entries there are, as SQL does. With `asks_seconds`
-- times of queries are cut off to seconds, as SQL does, and with `keeps_seconds` those of entries, as PostgreSQL does. One
-- that `is_torn` takes nothing until all of it is deleted, one that `is_full` takes nothing at all. What is found is `open`
-- until it is read to its end, as a file of internal storage is.

local st = require "util.stanza";

local archives = {};

local function matches(entry, query)
	return (not query.start or entry.when >= query.start) and (not query["end"] or entry.when <= query["end"])
		and (not query.with or entry.with == query.with);
end

-- The entries that are asked for, in that direction; nothing if one of the places is not there.
local function select_from(entries, query)
	local selected = {};
	local first, last, step = 1, #entries, 1;
	if query.reverse then first, last, step = #entries, 1, -1; end
	local place = query.after;
	if query.reverse then place = query.before; end
	local is_begun = not place;
	for i = first, last, step do
		local entry = entries[i];
		if is_begun and matches(entry, query) and #selected < (query.limit or math.huge) then
			table.insert(selected, entry);
		end
		is_begun = is_begun or entry.key == place;
	end
	if not is_begun then return nil; end
	return selected;
end

local function count_of(entries, query)
	local count = 0;
	for _, entry in ipairs(entries) do
		if matches(entry, query) then count = count + 1; end
	end
	return count;
end

function archives.new(server)
	local all = { data = {}, caps = { truncate = true }, reads = 0, read = 0, open = 0, deletes = 0 };
	local methods = {};
	function methods:append(user, key, value, when, with)
		if not require "util.async".ready() then error("ASYNC-01: not in an async context"); end
		if server.stores.fails then return nil, server.stores.fails; end
		if all.is_torn then return nil, "Error reading storage"; end
		if all.is_full then return nil, "Error saving to storage"; end
		local data = all.data[self.name];
		data[user] = data[user] or {};
		if all.limit and #data[user] >= all.limit then return nil, "quota-limit"; end
		all.made = (all.made or 0) + 1;
		key = key or "key-"..all.made;
		if all.keeps_seconds then when = math.floor(when); end
		table.insert(data[user], { key = key, value = st.preserialize(value), when = when, with = with });
		return key;
	end
	function methods:find(user, query)
		query = query or {};
		if server.stores.fails then return nil, server.stores.fails; end
		all.reads = all.reads + 1;
		if all.asks_seconds then
			if math.max(query.start or 0, query["end"] or 0) >= 2^31 then return nil, "out of range for type integer"; end
			query.start = query.start and math.floor(query.start);
			query["end"] = query["end"] and math.floor(query["end"]);
		end
		local selected = select_from(all.data[self.name][user] or {}, query);
		if not selected then return nil, "item-not-found"; end
		local tells = all.counts or not all.data[self.name][user]; -- internal storage does while there is nothing
		local i, is_open = 0, true;
		all.open = all.open + 1;
		return function ()
			i = i + 1;
			local entry = selected[i];
			if not entry then
				if is_open then all.open = all.open - 1; end
				is_open = false;
				return nil;
			end
			all.read = all.read + 1;
			return entry.key, st.deserialize(entry.value), entry.when, entry.with;
		end, tells and query.total and count_of(all.data[self.name][user] or {}, query) or nil;
	end
	function methods:get(user, key)
		for _, entry in ipairs(all.data[self.name][user] or {}) do
			if entry.key == key then return st.deserialize(entry.value), entry.when, entry.with; end
		end
		return nil, "item-not-found";
	end
	function methods:delete(user, query)
		all.deletes = all.deletes + 1;
		if not query then
			all.data[self.name][user], all.is_torn = nil, nil;
			return true;
		end
		local kept, entries = {}, all.data[self.name][user] or {};
		for i, entry in ipairs(entries) do
			local is_cut = query.truncate and i <= #entries - query.truncate;
			local is_old = query["end"] and entry.when <= query["end"];
			if not (is_cut or is_old) then table.insert(kept, entry); end
		end
		all.data[self.name][user] = kept;
		return #entries - #kept;
	end
	function methods:users()
		return pairs(all.data[self.name]);
	end
	return setmetatable(all, { __call = function (_, name)
		all.data[name] = all.data[name] or {};
		return setmetatable({ name = name, caps = all.caps }, { __index = methods });
	end });
end

return archives;
