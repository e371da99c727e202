-- Reads mod_mam's archive of an account and the logs of its rooms as one archive, in order of receipt.
--
-- Each of them is a source, read in pieces. Between sources the time of receipt decides, then the room's address: so the
-- order is the same for each page.

local async = require "util.async";
local now = require "util.time".now;

local host = prosody.hosts[module.host];
local account_archive = ""; -- comes before each room

local piece = 60; -- entries that are read at once
local slice_s = 0.015; -- of reading, before others have their turn

return function (core, log)
	local archive_store = module:get_option_string("archive_store") or "archive";
	local archive, prefs = module:open_store(archive_store, "archive"), module:open_store(archive_store.."_prefs");
	local default_policy = module:get_option("default_archive_policy");
	local policies = { always = true, never = false };
	if default_policy == nil then default_policy = true; end
	if policies[default_policy] ~= nil then default_policy = policies[default_policy]; end

	--- Whose messages the account wants archived ---

	local function prefs_of(username)
		local sessions = host.sessions[username];
		return sessions and sessions.archive_prefs or prefs:get(username) or { [false] = default_policy };
	end

	local function wants(username, stored, room)
		if stored[room] ~= nil then return stored[room]; end
		if stored[false] ~= "roster" then return stored[false]; end
		local roster = require "core.rostermanager".load_roster(username, module.host);
		return roster[room] ~= nil;
	end

	--- Sources ---

	-- The logs know milliseconds, mod_mam what the clock says: of the same millisecond its message comes first.
	local function of_account(id, stanza, when)
		return { id = id, when = math.floor(when * 1000) / 1000, stamp = when, stanza = stanza, order = account_archive };
	end

	-- The store chooses the messages with somebody, unless the place to begin may be another message.
	local function source_of_account(username, with, store_chooses)
		return {
			order = account_archive;
			find = function (query)
				query.with = store_chooses and with or nil;
				return archive:find(username, query);
			end;
			read = function (id, stanza, when, its_with)
				local found = of_account(id, stanza, when);
				found.is_hidden = with and with ~= its_with;
				return found;
			end;
		};
	end

	local function source_of_room(account, room)
		return {
			order = room;
			find = function (query) return log.find(room, query); end;
			read = function (_, entry)
				local at_ms, said_ms = math.tointeger(tonumber(entry.attr.at)), math.tointeger(tonumber(entry.attr.said));
				local stanza = entry.tags[1];
				if not (at_ms and stanza) then return nil; end
				local is_seen = core.sees_logged(account, stanza.attr.from, at_ms, said_ms);
				stanza.attr.to = account;
				return { id = entry.attr.id, when = at_ms / 1000, stanza = stanza, is_hidden = not is_seen };
			end;
		};
	end

	local function rooms_of(username, account)
		local rooms, stored = {}, prefs_of(username);
		for _, seen in ipairs(core.logged_rooms(account)) do
			if wants(username, stored, seen.room) then table.insert(rooms, seen); end
		end
		return rooms;
	end

	local function sources_of(username)
		local account = username.."@"..module.host;
		local oldest_s = now() - log.expires_s;
		local sources = { source_of_account(username) };
		for _, seen in ipairs(rooms_of(username, account)) do
			local source = source_of_room(account, seen.room);
			source.first_s = math.max(oldest_s, seen.first_ms / 1000);
			source.last_s = seen.last_ms and seen.last_ms / 1000;
			table.insert(sources, source);
		end
		return sources;
	end

	-- Those that are asked for.
	local function sources_with(sources, username, with, range)
		if not with then return sources; end
		local function is_other(cursor) return cursor == nil or cursor.order ~= account_archive; end
		local wanted = { source_of_account(username, with, is_other(range.after) and is_other(range.before)) };
		for _, source in ipairs(sources) do
			if source.order == with then table.insert(wanted, source); end
		end
		return wanted;
	end

	--- Reading ---

	local began_s;

	local function breathe()
		if now() - began_s < slice_s or not async.ready() then return; end
		log.pause();
		began_s = now();
	end

	-- Reads the pieces of a source one after the other, from a time on, in one direction: each entry as it is stored.
	local function pieces(source, reverse, from_s)
		local buffer, position, key, is_over = {}, 0, nil, false;
		local function fill()
			local query = { limit = piece, reverse = reverse };
			if reverse then
				query.before, query["end"] = key, from_s and math.ceil(from_s) + 1;
			else
				query.after, query.start = key, from_s and math.floor(from_s) - 1;
			end
			local items, fault = source.find(query);
			if not items then
				if fault == nil or (key == nil and fault == "item-not-found") then
					is_over = true;
					return;
				end
				error({ condition = fault }, 0);
			end
			buffer, position = {}, 0;
			for id, item, when, with in items do table.insert(buffer, { id, item, when, with }); end
			is_over = #buffer < piece;
			local last = buffer[#buffer];
			if last then key, from_s = last[1], last[3]; end
		end
		return function ()
			if position >= #buffer then
				if is_over then return nil; end
				fill();
				breathe();
			end
			position = position + 1;
			local found = buffer[position];
			if not found then return nil; end
			return found[1], found[2], found[3], found[4];
		end
	end

	local function later(a, b)
		if a.when ~= b.when then return a.when > b.when; end
		return a.order > b.order;
	end

	local function latest(a, b)
		if a and b then return math.max(a, b); end
		return a or b;
	end

	local function earliest(a, b)
		if a and b then return math.min(a, b); end
		return a or b;
	end

	-- What the account sees of a source, after one entry and before another, in one direction.
	local function reader(source, reverse, range)
		local first_s = latest(latest(source.first_s, range.first_s), range.after and range.after.when);
		local last_s = earliest(earliest(source.last_s, range.last_s), range.before and range.before.when);
		local begin, stop, from_s = range.after, range.before, first_s;
		if reverse then begin, stop, from_s = stop, begin, last_s; end
		local is_begun = not (begin and begin.order == source.order);
		local function is_beyond(a, b)
			if reverse then return later(b, a); end
			return later(a, b);
		end
		local next_piece = pieces(source, reverse, from_s);
		local function is_at_end(found)
			if reverse then return first_s and found.when < math.floor(first_s) - 1; end
			return last_s and found.when > math.ceil(last_s) + 1;
		end
		local function is_within(found)
			if (first_s and found.when < first_s) or (last_s and found.when > last_s) then return false; end
			if begin and begin.order ~= source.order and not is_beyond(found, begin) then return false; end
			return not (stop and stop.order ~= source.order and not is_beyond(stop, found));
		end
		return function ()
			for id, item, when, with in next_piece do
				local found = source.read(id, item, when, with);
				if found then
					found.order = source.order;
					if is_at_end(found) then return nil; end
					if stop and stop.order == source.order and found.id == stop.id then return nil; end
					if is_begun and not found.is_hidden and is_within(found) then return found; end
					if not is_begun and found.id == begin.id then is_begun = true; end
				end
			end
			return nil;
		end
	end

	-- What the account sees of all sources.
	local function merged(sources, reverse, range)
		local heads = {};
		for _, source in ipairs(sources) do
			local read = reader(source, reverse, range);
			local head = read();
			if head then table.insert(heads, { read = read, head = head }); end
		end
		return function ()
			local best;
			for i, candidate in ipairs(heads) do
				local is_better = best and later(heads[best].head, candidate.head);
				if reverse then is_better = best and later(candidate.head, heads[best].head); end
				if not best or is_better then best = i; end
			end
			if not best then return nil; end
			local found = heads[best].head;
			heads[best].head = heads[best].read();
			if not heads[best].head then table.remove(heads, best); end
			return found;
		end
	end

	--- Single entries ---

	local function found_at(source, id, when)
		local read = reader(source, false, { first_s = when and when - 1, last_s = when and when + 1 });
		for found in read do
			if found.id == id then return found; end
		end
	end

	-- An id of mod_mam's that tells its time is found without reading all that came before it.
	local function find_of_account(source, username, id)
		local high, low = id:match("^(%x%x%x%x%x%x%x%x)%-(%x%x%x%x)%-7");
		local found = high and found_at(source, id, tonumber(high..low, 16) / 1000);
		if found then return found; end
		local stanza, when = archive:get(username, id);
		if not stanza then return nil; end
		return of_account(id, stanza, when);
	end

	local function find_by_id(sources, username, id)
		local time = id:match("^(%x%x%x%x%x%x%x%x%x%x%x)%-%l*%w*$");
		local at_s = time and tonumber(time, 16) / 1000;
		for _, source in ipairs(sources) do
			local found;
			if source.order == account_archive then
				found = not time and find_of_account(source, username, id);
			elseif time and not (source.last_s and at_s > source.last_s) and at_s >= source.first_s then
				found = found_at(source, id, at_s);
			end
			if found then return found; end
		end
		error({ condition = "item-not-found" }, 0);
	end

	--- Pages ---

	local function by_ids(sources, username, asked)
		local found, known = {}, {};
		for _, id in ipairs(asked.ids) do
			if not known[id] then table.insert(found, find_by_id(sources, username, id)); end
			known[id] = true;
		end
		table.sort(found, function (a, b)
			if asked.reverse then return later(a, b); end
			return later(b, a);
		end);
		return { found = found, is_complete = true, count = #found };
	end

	local function page_of(username, asked)
		local all = sources_of(username);
		if asked.ids then return by_ids(all, username, asked); end
		local range = {
			first_s = asked.first_s, last_s = asked.last_s;
			after = asked.after and find_by_id(all, username, asked.after);
			before = asked.before and find_by_id(all, username, asked.before);
		};
		local read = merged(sources_with(all, username, asked.with, range), asked.reverse, range);
		local page = { found = {}, is_complete = true };
		if asked.count == 0 then
			page.count = 0;
			for _ in read do page.count = page.count + 1; end
			page.is_complete = page.count == 0;
			return page;
		end
		for found in read do
			if #page.found == asked.count then
				page.is_complete = false;
				return page;
			end
			table.insert(page.found, found);
		end
		return page;
	end

	-- A page of what an account asks for; nothing, and the condition of the error, if there is none.
	return function (username, asked)
		log.catch_up();
		began_s = now();
		local ok, page = pcall(page_of, username, asked);
		if ok then return page; end
		return nil, type(page) == "table" and page.condition or tostring(page);
	end
end
