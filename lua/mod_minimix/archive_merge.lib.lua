-- Reads mod_mam's archive of an account and the logs of its rooms as one archive, in order of receipt.
--
-- Between sources (archive_sources.lib.lua) the time of receipt decides, then the room's address: so the order is the same for
-- each page.

local jid_prep = require "util.jid".prep;

local cut_s = 0.002; -- as much the times of one entry may differ: what is told of it, and when it was received
local few = 4; -- entries to look for one among those of the same time

return function (core, log)
	local sources = module:require "archive_sources"(core, log);
	local account_archive = sources.account_archive;

	-- Those that are asked for.
	local function sources_with(all, username, with, range)
		if not with then return all; end
		local function is_other(cursor) return cursor == nil or cursor.order ~= account_archive; end
		local wanted = { sources.of_account(username, with, is_other(range.after) and is_other(range.before)) };
		for _, source in ipairs(all) do
			if source.order == with then table.insert(wanted, source); end
		end
		return wanted;
	end

	--- Reading ---

	local function nothing() end

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

	-- What the account sees of a source, after one entry and before another, in one direction. It may be read at once.
	local function reader(source, reverse, range, least, share, is_at_once)
		local from_place_s = latest(source.first_s, range.after and range.after.when);
		local to_place_s = earliest(source.last_s, range.before and range.before.when);
		local first_s, last_s = latest(from_place_s, range.first_s), earliest(to_place_s, range.last_s);
		if first_s and last_s and first_s > last_s + source.slack_s + cut_s then return nothing; end
		local begin, stop, from_s = range.after, range.before, first_s;
		if reverse then begin, stop, from_s = stop, begin, last_s; end
		local place = not is_at_once and begin and begin.order == source.order and begin.key and begin;
		local is_begun = place or not (begin and begin.order == source.order);
		local function is_beyond(a, b)
			if reverse then return later(b, a); end
			return later(a, b);
		end
		local entries, finish = sources.entries_of(source, reverse, from_s, place, least, share, is_at_once);
		local function is_at_end(found)
			if stop and stop.order == source.order and found.id == stop.id then return true; end
			if reverse then return first_s and found.when < first_s - source.slack_s; end
			return last_s and found.when > last_s + source.slack_s;
		end
		local function is_with(stanza)
			local with = range.with_full;
			return not with or jid_prep(stanza.attr.from) == with or jid_prep(stanza.attr.to) == with;
		end
		local function is_within(found)
			local shown_s = found.stamp or found.when;
			if (range.first_s and shown_s < range.first_s) or (range.last_s and shown_s > range.last_s) then return false; end
			if (from_place_s and found.when < from_place_s) or (to_place_s and found.when > to_place_s) then return false; end
			if not is_with(found.stanza) then return false; end
			if begin and begin.order ~= source.order and not is_beyond(found, begin) then return false; end
			return not (stop and stop.order ~= source.order and not is_beyond(stop, found));
		end
		return function ()
			for key, item, when, with in entries do
				local found = source.read(key, item, when, with);
				if found then
					found.order, found.key, found.stored_s = source.order, key, when;
					if is_at_end(found) then
						finish();
						return nil;
					end
					if is_begun and not found.is_hidden and is_within(found) then return found; end
					if not is_begun and found.id == begin.id then is_begun = true; end
				end
			end
			return nil;
		end
	end

	-- What the account sees of all sources.
	local function merged(wanted, reverse, range, count, share)
		local heads = {};
		local least = 2 + math.ceil(2 * count / #wanted);
		for _, source in ipairs(wanted) do
			local read = reader(source, reverse, range, least, share);
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

	local count_of = module:require "archive_count"(reader, latest, earliest);

	--- Single entries ---

	local function found_at(source, id, when, share)
		local entries = sources.entries_of(source, false, when, nil, few, share);
		for key, item, stored_s in entries do
			local found = source.read(key, item, stored_s);
			if found and found.id == id then
				if found.is_hidden then return nil; end
				found.order, found.key, found.stored_s = source.order, key, stored_s;
				return found;
			end
			if found and found.when > when + source.slack_s then return nil; end
		end
	end

	-- An id of mod_mam's that tells its time is found without reading all that came before it.
	local function find_of_account(source, id, share)
		local time_s = sources.time_of(id);
		return time_s and found_at(source, id, time_s, share) or source.get(id);
	end

	local function find_by_id(all, id, share)
		local time = id:match("^(%x%x%x%x%x%x%x%x%x%x%x)%-%l*%w*$");
		local at_s = time and tonumber(time, 16) / 1000;
		for _, source in ipairs(all) do
			local found;
			if source.order == account_archive then
				found = not time and find_of_account(source, id, share);
			elseif time and not (source.last_s and at_s > source.last_s) and at_s >= source.first_s then
				found = found_at(source, id, at_s, share);
			end
			if found then return found; end
		end
		error({ condition = "item-not-found" }, 0);
	end

	--- Pages ---

	local function by_ids(all, asked, share)
		local found, known = {}, {};
		for _, id in ipairs(asked.ids) do
			if not known[id] then table.insert(found, find_by_id(all, id, share)); end
			known[id] = true;
		end
		table.sort(found, function (a, b)
			if asked.reverse then return later(a, b); end
			return later(b, a);
		end);
		return { found = found, is_complete = true, count = #found };
	end

	local function page_of(username, asked, share)
		local all = sources.of(username);
		if asked.ids then return by_ids(all, asked, share); end
		local range = {
			first_s = asked.first_s, last_s = asked.last_s, with_full = asked.with_full;
			after = asked.after and find_by_id(all, asked.after, share);
			before = asked.before and find_by_id(all, asked.before, share);
		};
		local wanted = sources_with(all, username, asked.with, range);
		if asked.count == 0 then
			local count = count_of(wanted, range, share);
			return { found = {}, is_complete = count == 0, count = count };
		end
		local read = merged(wanted, asked.reverse, range, asked.count, share);
		local page = { found = {}, is_complete = true };
		for found in read do
			if #page.found == asked.count then
				page.is_complete = false;
				return page;
			end
			table.insert(page.found, found);
		end
		return page;
	end

	-- What an account sees of the log of a room, the newest message first; what was received before that time is not wanted.
	-- At least so many are read at once. `share` is called meanwhile.
	local function newest(username, room, since_s, least, share)
		for _, source in ipairs(sources.of(username)) do
			if source.order == room then return reader(source, true, { first_s = since_s }, least, share); end
		end
		return function () end;
	end

	-- A page of what an account asks for; nothing, and the condition of the error, if there is none. `share` is called meanwhile.
	local function page(username, asked, share)
		local ok, found = pcall(page_of, username, asked, share);
		if ok then return found; end
		return nil, type(found) == "table" and found.condition or tostring(found);
	end

	return page, newest;
end
