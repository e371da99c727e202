-- What an account's archive is made of: mod_mam's archive of it, and the logs of its rooms, each with what of it waits to be
-- written. Each is a source, read in pieces.
--
-- A store finds an entry by its key, and by its time only roughly: SQL cuts off what is less than a second, and sorts all
-- entries before a time to find the last. So whoever knows a key begins there.

local now = require "util.time".now;
local st = require "util.stanza";

local latest_s = 2^31 - 1; -- that PostgreSQL takes
local day_s = 24 * 60 * 60;

local host = prosody.hosts[module.host];

local most = 30; -- entries that are read at once
local least_s = 0.0005; -- before an entry that has to be found: of several of the same time, storage may begin with any

return function (core, log)
	local sources = { account_archive = "" }; -- comes before each room
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

	-- When mod_mam has received a message, if its id tells: the id begins with milliseconds (RFC 9562 §5.7), or as Prosody 13
	-- makes it with seconds and 12 bits of fraction.
	function sources.time_of(id)
		local high, low = id:match("^(%x%x%x%x%x%x%x%x)%-(%x%x%x%x)%-7");
		if not high then return nil; end
		local number = tonumber(high..low, 16);
		if number / 1000 <= now() + day_s then return number / 1000; end
		return number / 4096;
	end

	-- The logs know milliseconds, mod_mam what the clock says, and PostgreSQL only the second. Of the same millisecond
	-- mod_mam's message comes first.
	local function of_account(id, stanza, when)
		local told_s = sources.time_of(id);
		local precise_s = when % 1 == 0 and told_s and math.floor(told_s) == when and told_s or when;
		return {
			id = id, when = math.floor(precise_s * 1000) / 1000, stamp = precise_s, stanza = stanza;
			order = sources.account_archive;
		};
	end

	-- The store chooses the messages with somebody, unless the place to begin may be another message.
	function sources.of_account(username, with, store_chooses)
		return {
			order = sources.account_archive;
			slack_s = 1; -- its clock may have been put back
			is_chosen = with and store_chooses;
			intervals = function () return { {} }; end;
			find = function (query)
				query.with = store_chooses and with or nil;
				return archive:find(username, query);
			end;
			get = function (id)
				local stanza, when = archive:get(username, id);
				return stanza and of_account(id, stanza, when);
			end;
			read = function (id, stanza, when, its_with)
				local found = of_account(id, stanza, when);
				found.is_hidden = with and with ~= its_with;
				return found;
			end;
		};
	end

	local function of_room(account, room, unwritten)
		return {
			order = room;
			slack_s = 0;
			unwritten = unwritten;
			intervals = function () return not unwritten and core.logged_intervals(account, room); end;
			find = function (query) return log.find(room, query); end;
			read = function (_, entry)
				local at_ms, said_ms = math.tointeger(tonumber(entry.attr.at)), math.tointeger(tonumber(entry.attr.said));
				local stanza = entry.tags[1];
				if not (at_ms and stanza) then return nil; end
				local is_seen = core.sees_logged(account, stanza.attr.from, at_ms, said_ms);
				stanza.attr.to = account;
				return {
					id = entry.attr.id, when = at_ms / 1000, stanza = stanza, is_hidden = not is_seen, room = room;
					at_ms = at_ms, said_ms = said_ms, stamp = (at_ms + 0.0005) / 1000; -- a stamp is cut off, and not rounded
				};
			end;
		};
	end

	-- All of an account.
	function sources.of(username)
		local account = username.."@"..module.host;
		local oldest_s = now() - log.expires_s;
		local all, stored, unwritten = { sources.of_account(username) }, prefs_of(username), log.unwritten();
		for _, seen in ipairs(core.logged_rooms(account)) do
			if wants(username, stored, seen.room) then
				local source = of_room(account, seen.room, unwritten[seen.room]);
				source.first_s = math.max(oldest_s, seen.first_ms / 1000);
				source.last_s = seen.last_ms and seen.last_ms / 1000;
				table.insert(all, source);
			end
		end
		return all;
	end

	--- Reading ---

	local function within_limits(time_s)
		return time_s and math.max(0, math.min(time_s, latest_s));
	end

	local function items_of(source, query)
		query.start, query["end"] = within_limits(query.start), within_limits(query["end"]);
		local items, fault = source.find(query);
		if items or fault == nil or (fault == "item-not-found" and not (query.before or query.after)) then return items; end
		error({ condition = fault }, 0);
	end

	-- The key of the first entry after a time: nobody has one that reads backwards from there.
	local function key_after(source, time_s)
		local items = items_of(source, { start = math.floor(time_s) + source.slack_s + 1, limit = 1 });
		if not items then return nil; end
		local key, when;
		for id, _, its_when in items do key, when = id, its_when; end
		return key, when;
	end

	-- What is stored of a source from a time on, read by one query, and what ends that early: a store may have a file open
	-- until all is read. Others have their turn meanwhile, so the store is not asked to skip what comes after a time.
	local function all_stored_of(source, from_s, share)
		local items = items_of(source, { start = from_s and from_s - least_s - source.slack_s });
		local function next_stored()
			share();
			if not items then return nil; end
			local id, item, when, with = items();
			if not id then items = nil; end
			return id, item, when, with;
		end
		return next_stored, function ()
			while next_stored() do end
		end
	end

	-- What is stored of a source, from a place or else a time on, in one direction: first a few entries, then more at once.
	local function stored_of(source, reverse, from_s, place, few, share)
		local buffer, position, is_over, size = {}, 0, false, math.min(few, most);
		local key, when = place and place.key, place and place.stored_s;
		local function query_of()
			if not reverse then
				local first_s = when or from_s;
				return { limit = size, after = key, start = first_s and first_s - least_s - source.slack_s };
			end
			if not key and from_s and not source.is_chosen then
				key, when = key_after(source, from_s);
				if not key then return { limit = size, reverse = true }; end
			end
			local last_s = when or from_s;
			return { limit = size, reverse = true, before = key, ["end"] = last_s and math.ceil(last_s) + source.slack_s };
		end
		local function fill()
			local query = query_of();
			buffer, position = {}, 0;
			share();
			local items = items_of(source, query);
			if items then
				for id, item, its_when, with in items do table.insert(buffer, { id, item, its_when, with }); end
			end
			is_over = #buffer < query.limit;
			size = math.min(size * 2, most);
			local last = buffer[#buffer];
			if last then key, when = last[1], last[3]; end
		end
		return function ()
			if position >= #buffer then
				if is_over then return nil; end
				fill();
				share();
			end
			position = position + 1;
			local found = buffer[position];
			if not found then return nil; end
			return found[1], found[2], found[3], found[4];
		end
	end

	local function waiting_of(unwritten, reverse)
		local actions = unwritten.actions;
		local position, last, step = 0, #actions, 1;
		if reverse then position, last, step = #actions + 1, 1, -1; end
		return function ()
			if position == last then return nil; end
			position = position + step;
			return st.clone(log.entry_of(actions[position]));
		end
	end

	local function nothing() end

	-- The same, and what waited to be written when the query came. It may be written meanwhile. Who does not read all of it
	-- calls what comes second.
	function sources.entries_of(source, reverse, from_s, place, few, share, is_at_once)
		local unwritten = source.unwritten;
		local stored, finish;
		if is_at_once then
			stored, finish = all_stored_of(source, from_s, share);
		else
			stored, finish = stored_of(source, reverse, from_s, place, few, share), nothing;
		end
		if not unwritten then return stored, finish; end
		local waiting = waiting_of(unwritten, reverse);
		local function was_waiting(entry)
			return unwritten.ids[entry.attr.id] or (tonumber(entry.attr.at) or 0) > unwritten.first_ms;
		end
		local function next_stored()
			for id, entry, when, with in stored do
				if not was_waiting(entry) then return id, entry, when, with; end
				if not reverse then
					finish();
					return nil;
				end
			end
		end
		local function next_waiting()
			local entry = waiting();
			if entry then return false, entry; end
		end
		local reads, then_reads = next_stored, next_waiting;
		if reverse then reads, then_reads = then_reads, reads; end
		local is_first = true;
		return function ()
			if is_first then
				local id, entry, when, with = reads();
				if entry then return id, entry, when, with; end
				is_first = false;
			end
			return then_reads();
		end, finish;
	end

	return sources;
end
