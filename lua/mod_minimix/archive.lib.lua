-- The logs of rooms: an archive for each room, one copy for all accounts of the host. What goes in the core decides.
--
-- An entry is a `logged` element around the message, with the id that the message has in the archives of accounts, by what
-- it is known when it comes again, when it was received, and when it was said if the room says so. The store makes its own
-- keys: an append under a given key has the internal storage read and write the whole log.

local async = require "util.async";
local cache = require "util.cache";
local now = require "util.time".now;
local sha256 = require "util.hashes".sha256;
local st = require "util.stanza";

local pause = module:require "pause";

local xmlns_log = "urn:minimix:log";

local most_logged = 10000; -- messages of a room
local trimmed_to = 9000; -- if the store itself takes no more: it may write all of them again
local trimmed_every = 500; -- messages, if it would take more
local most_compared = 200; -- of the last messages, when the past comes again
local most_waiting = 10000; -- to be written
local longest_name = 200; -- of a log, as the name of a file
local slice_s = 0.007;
local most_held_s = 0.012; -- if the next step takes as long as the longest so far
local fading = 0.8; -- of the longest step, with each that is shorter
local unreadable = "Error reading storage"; -- what internal storage says of a file that it can't read to its end
local day_s = 24 * 60 * 60;

return function (core, answers, actions, options)
	local log = {};
	local store;

	local function open()
		local opened, fault = module:open_store("minimix_log", "archive");
		if opened and opened.append then return opened; end
		module:log("error", "The storage has no archives, so rooms are not logged: %s", fault or "no reason given");
		return nil;
	end

	-- Takes in the options.
	function log.configure(new_options)
		log.expires_s = new_options.archive_expires or 7 * day_s;
		log.is_on = new_options.archive ~= "off";
		if log.is_on then store = store or open(); end
	end
	log.configure(options);

	local function key_of(room)
		local _, escaped = room:gsub("%W", "");
		if #room + 2 * escaped <= longest_name then return room; end
		return sha256(room, true);
	end

	-- Stores may raise errors.
	local function protected(method, ...)
		local ok, result, fault = pcall(store[method], store, ...);
		if ok then return result, fault; end
		return nil, result;
	end

	-- Finds entries in the log of a room, as the store does.
	function log.find(room, query)
		if not store then return nil, "no store"; end
		return protected("find", key_of(room), query);
	end

	-- Gives what is to be called again and again during some work: it lets others have their turn when it is time.
	function log.sharing()
		local began_s = now();
		local last_s, longest_s = began_s, 0; -- a step between two calls
		return function ()
			local at_s = now();
			longest_s = math.max(math.min(at_s - last_s, most_held_s), longest_s * fading);
			last_s = at_s;
			local is_time = at_s - began_s >= slice_s or at_s - began_s + longest_s >= most_held_s;
			if not is_time or at_s == began_s or not async.ready() then return; end
			pause();
			began_s = now();
			last_s = began_s;
		end
	end

	--- Writing ---

	local waiting, first, last = {}, 1, 0;
	local appended = cache.new(1000); -- by log: how many since it was trimmed
	local compared = cache.new(100); -- by log: the ids of what was there before, by their prints
	local is_failing = false;

	-- One that takes no more than that has to say so first: to count, it may read all of a log.
	local function is_trimmed_in_time()
		local quota = store.caps and store.caps.quota;
		return not quota or quota > most_logged + trimmed_every;
	end

	local function trim(key, count)
		if store.caps and store.caps.truncate then protected("delete", key, { truncate = count }); end
		appended:set(key, 0);
	end

	local function prints_of(room, key)
		local prints = compared:get(key);
		if prints then return prints; end
		prints = {};
		local items = log.find(room, { limit = most_compared, reverse = true });
		if items then
			for _, entry in items do prints[entry.attr.print or ""] = entry.attr.id; end
		end
		compared:set(key, prints);
		return prints;
	end

	-- A message as it is stored, from then on.
	function log.entry_of(action)
		local message = action.stanza;
		message.attr.xmlns = "jabber:client";
		local said_ms = action.said_ms and ("%d"):format(action.said_ms);
		return st.stanza("logged", {
			xmlns = xmlns_log, id = action.id, print = action.print, at = ("%d"):format(action.at_ms), said = said_ms;
		}):add_child(message);
	end

	-- A server that is killed may leave the last entry of a file unfinished, and then nothing more can be appended. What can be
	-- read is written anew.
	local function mend(key)
		local share = log.sharing();
		local items = protected("find", key);
		if not items then return; end
		local kept = {};
		for _, entry, when, with in items do
			table.insert(kept, { entry, when, with });
			share();
		end
		if not protected("delete", key) then return; end
		module:log("warn", "A log of a room could not be read to its end, and is written anew");
		for place, entry in ipairs(kept) do -- in one go: nobody may stop the server in between
			local ok, fault = protected("append", key, nil, entry[1], entry[2], entry[3]);
			if not ok then
				module:log("error", "%d messages of the log of a room are lost: %s", #kept - place + 1, fault or "no reason given");
				return;
			end
		end
	end

	-- What is of the past may have been there before: the core is told under which id it is there.
	local function settle(action, id)
		if action.said_ms then answers.tell("a message in a log", core.log_settled, action.room, action.id, id); end
	end

	local function append(action)
		local room = action.room;
		local key = key_of(room);
		local known_as = action.said_ms and prints_of(room, key)[action.print];
		if known_as then return settle(action, known_as); end
		local entry = log.entry_of(action);
		local function try() return protected("append", key, nil, entry, action.at_ms / 1000, room); end
		local id, fault = try();
		if fault == "quota-limit" then
			trim(key, trimmed_to);
			id, fault = try();
		elseif fault == unreadable then
			pcall(mend, key);
			id, fault = try();
		end
		if id then
			local count = (appended:get(key) or 0) + 1;
			appended:set(key, count);
			settle(action, action.id);
			if count >= trimmed_every and is_trimmed_in_time() then trim(key, most_logged); end
		elseif not is_failing then
			module:log("error", "The messages of rooms can't be archived: %s", fault or "no reason given");
		end
		is_failing = not id;
	end

	-- Writes for a short time. True if there is more to write.
	local function write_slice(until_s)
		while first <= last do
			if now() >= until_s then return true; end
			local action = waiting[first];
			waiting[first] = nil;
			first = first + 1;
			append(action);
		end
		return false;
	end

	local runner = async.runner(function (until_s)
		if write_slice(until_s) then log.work_soon(); end
	end);

	local is_soon = false;
	function log.work_soon()
		if is_soon then return; end
		is_soon = true;
		module:add_timer(0, function ()
			is_soon = false;
			runner:run(now() + slice_s);
		end);
	end

	-- Writes all that waits, unless the store makes us wait.
	function log.flush()
		if first <= last then runner:run(math.huge); end
	end

	-- What waits to be written, by room: the messages, oldest first, and which they are.
	function log.unwritten()
		local by_room = {};
		for _, action in ipairs(table.move(waiting, first, last, 1, {})) do
			local room = action.room;
			if not (action.said_ms and prints_of(room, key_of(room))[action.print]) then
				local unwritten = by_room[room] or { actions = {}, ids = {}, first_ms = action.at_ms };
				by_room[room] = unwritten;
				table.insert(unwritten.actions, action);
				unwritten.ids[action.id] = true;
			end
		end
		return by_room;
	end

	function actions.perform.log(action)
		if not store then return; end
		if last - first + 1 >= most_waiting then
			if not is_failing then module:log("error", "Too many messages of rooms wait to be archived: some are lost"); end
			is_failing = true;
			return;
		end
		last = last + 1;
		waiting[last] = action;
		log.work_soon();
	end

	--- Expiry ---

	local function expire()
		if not store or log.expires_s == math.huge then return; end
		local query = { ["end"] = os.time() - log.expires_s };
		if store.caps and store.caps.wildcard_delete then
			local ok, fault = protected("delete", true, query);
			if not ok then module:log("error", "The expired messages of rooms can't be removed: %s", fault); end
			return;
		end
		local keys = {};
		for key in store:users() do table.insert(keys, key); end
		for _, key in ipairs(keys) do
			local ok, fault = protected("delete", key, { ["end"] = query["end"] });
			if not ok then module:log("error", "The expired messages of a room can't be removed: %s", fault); end
			pause();
		end
	end
	module:daily("Remove the expired messages of rooms", expire);

	return log;
end
