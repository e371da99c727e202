-- What is stored: for each account a text by room, and one record of the host.
--
-- Writing never holds anybody up. A store that fails is tried again, and what is in memory is right meanwhile.

local async = require "util.async";
local now = require "util.time".now;

local pause = module:require "pause";
local usernames_of = module:require "usernames";

local xpcall, pairs = xpcall, pairs;

local slice_s = 0.01; -- of storage, before others have their turn
local first_pause_s, last_pause_s = 1, 60; -- before it is tried again
local patience_s = 2; -- with a slow store

-- What was not written before a reload comes first.
return function (unwritten)
	local storage = { log = nil }; -- with the logs of rooms, if there are any
	local keyval, map = module:open_store("minimix"), module:open_store("minimix", "map");
	local host_store = module:open_store("minimix_host");

	local pending = {}; -- by username: the text of each room, false where it goes
	local held = {}; -- accounts whose stored rooms have not been read: nothing may be written over them unseen
	local line = { first = 1, last = 0 }; -- of usernames
	local pause_s, retry = first_pause_s, nil;

	local runner = async.runner(function (work) work(); end);

	-- Stores may raise errors.
	local function protected(store, method, ...)
		local arguments = { n = select("#", ...), ... };
		local ok, result, fault = xpcall(function ()
			return store[method](store, table.unpack(arguments, 1, arguments.n));
		end, debug.traceback);
		if ok then return result, fault; end
		return nil, result;
	end

	local work_soon;

	local function note_failure(fault)
		if not storage.failing then
			module:log("error", "The rooms of accounts can't be stored, it will be tried again: %s", fault or "no reason given");
			if module.set_status then module:set_status("warn", "The rooms of accounts can't be stored"); end
		end
		storage.failing = true;
		if retry then return; end
		retry = module:add_timer(pause_s, function ()
			retry = nil;
			work_soon();
		end);
		pause_s = math.min(pause_s * 2, last_pause_s);
	end

	local function note_success()
		if not storage.failing then return; end
		storage.failing, pause_s = false, first_pause_s;
		module:log("info", "The rooms of accounts are stored again");
		if module.set_status then module:set_status("info", "Running"); end
	end

	-- Writes what waits of an account. False if that failed: then it goes on waiting.
	local function write(username)
		local records = pending[username];
		if records == nil or held[username] then return true; end
		pending[username] = nil;
		local changes = {};
		for room, text in pairs(records) do changes[room] = text or map.remove; end
		local ok, fault = protected(map, "set_keys", username, changes);
		if ok then
			note_success();
			return true;
		end
		local newer = pending[username] or {}; -- the store may have made us wait
		for room, text in pairs(records) do
			if newer[room] == nil then newer[room] = text; end
		end
		pending[username] = newer;
		note_failure(fault);
		return false;
	end

	local function enqueue(username)
		line.last = line.last + 1;
		line[line.last] = username;
	end

	-- Writes for a short time. True if there is more to write. What fails is tried again after all others.
	local function write_slice(until_s)
		local last = line.last;
		while line.first <= last do
			if now() >= until_s then return true; end
			local username = line[line.first];
			line[line.first] = nil;
			line.first = line.first + 1;
			if not write(username) then enqueue(username); end
		end
		if line.first > line.last then line.first, line.last = 1, 0; end
		return false;
	end

	local is_soon = false;
	function work_soon()
		if is_soon or retry then return; end
		is_soon = true;
		module:add_timer(0, function ()
			is_soon = false;
			runner:run(function ()
				if write_slice(now() + slice_s) then work_soon(); end
			end);
		end);
	end

	-- Has the text of some rooms written, before it returns if it is `at_once` and the store does not make us wait.
	function storage.write(username, records, at_once)
		local waiting = pending[username];
		if waiting == nil then
			waiting = {};
			pending[username] = waiting;
			enqueue(username);
		end
		for room, text in pairs(records) do waiting[room] = text; end
		if at_once then
			runner:run(function () write(username); end);
		else
			work_soon();
		end
	end

	-- Others have their turn while what waits is written, where we may be made to wait. A store that fails, or is slow, is not
	-- waited for.
	function storage.catch_up()
		local until_s = now() + patience_s;
		while line.first <= line.last and not retry and now() < until_s and async.ready() do
			work_soon();
			pause();
		end
	end

	-- Writes all that waits: at a reload and at the end.
	function storage.flush()
		runner:run(function ()
			write_slice(math.huge);
		end);
		if storage.log then storage.log.flush(); end
	end

	-- What could not be written, for after a reload.
	function storage.unwritten()
		storage.flush();
		return pending;
	end

	--- Reading; the caller is where a store may make it wait ---

	-- The accounts of which anything is stored, in order; nothing if that can't be read.
	function storage.usernames()
		return usernames_of(keyval);
	end

	-- What is stored of an account; nothing if that can't be read.
	function storage.read(username)
		local stored, fault = protected(keyval, "get", username);
		if stored == nil and fault then return nil, fault; end
		local records = {};
		for room, text in pairs(type(stored) == "table" and stored or {}) do
			if type(room) == "string" and type(text) == "string" then records[room] = text; end
		end
		return records;
	end

	-- Until the stored rooms of an account have been read, nothing is written over them.
	function storage.hold(username)
		held[username] = true;
	end

	function storage.release(username)
		held[username] = nil;
		if pending[username] then
			enqueue(username);
			work_soon();
		end
	end

	-- Forgets an account that is not there any more.
	function storage.forget(username)
		pending[username], held[username] = nil, nil;
		runner:run(function ()
			local ok, fault = protected(keyval, "set", username, nil);
			if not ok and fault then module:log("warn", "The rooms of an account that is gone stay stored: %s", fault); end
		end);
	end

	--- The host ---

	function storage.read_host()
		local stored, fault = protected(host_store, "get", nil);
		if stored == nil and fault then module:log("error", "What is stored of the host can't be read: %s", fault); end
		return type(stored) == "table" and type(stored.record) == "string" and stored.record or nil;
	end

	function storage.write_host(text)
		runner:run(function ()
			local ok, fault = protected(host_store, "set", nil, { record = text });
			if ok then note_success(); else note_failure(fault); end
		end);
	end

	for username, records in pairs(unwritten or {}) do storage.write(username, records); end

	return storage;
end
