-- Reads what is stored after a start: at once of whom anything is stored, then the rest in slices. Who is sent something
-- before his turn has come is read first: nothing of an account that is not read reaches anybody else.
--
-- | event | priority | why there |
-- |-------|----------|-----------|
-- | presence/bare, message/bare, iq/bare, pre-presence/…, pre-message/…, pre-iq/… | 2000 | above all; only until all are read |

local async = require "util.async";
local st = require "util.stanza";
local jid_node = require "util.jid".node;
local now = require "util.time".now;
local user_exists = require "core.usermanager".user_exists;

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

local slice_s, pause_s = 0.005, 0.005;
local alive_s = 30; -- between two notes that the server is up
local first_retry_s, last_retry_s = 1, 60;

local hooked = { "presence/bare", "message/bare", "iq/bare" };
local hooked_of_sessions = {
	"pre-presence/full", "pre-presence/bare", "pre-message/full", "pre-message/bare", "pre-iq/full", "pre-iq/bare",
};

-- `saved` is what a reload has left: the accounts that were not read yet.
return function (core, storage, blocklist, answers, saved)
	local loading = {};
	local tell = answers.tell;

	local unread, line = {}, {}; -- usernames: whether each is still to be read, and those in order
	local is_listed = true; -- else anybody may have something stored
	local readers = {}; -- by username: the runner that reads
	local retry_s = first_retry_s;

	local function is_unread(username)
		if not is_listed and unread[username] == nil then
			unread[username] = true;
			storage.hold(username);
		end
		return unread[username];
	end

	--- Reading ---

	local function read(username)
		local records, fault = storage.read(username);
		if records == nil then
			if not loading.failing then
				module:log("error", "The rooms of an account can't be read, it will be tried again: %s", fault or "no reason given");
			end
			loading.failing = true;
			return false;
		end
		loading.failing = false;
		local account = username.."@"..module.host;
		local exists = user_exists(username, module.host);
		if not unread[username] then return true; end -- the store has made us wait, and somebody else has read it
		tell("what is stored of an account", core.loaded, account, records, blocklist.read(username, account));
		unread[username] = false;
		storage.release(username);
		if exists == false then -- nil means that nobody knows
			tell("an account that is gone", core.account_gone, account);
			storage.forget(username);
		end
		return true;
	end

	-- Reads an account; true if that is done, nothing if the store makes us wait, false if it can't be read.
	local function ensure(username, afterwards)
		local reader = readers[username];
		if reader == nil then
			reader = async.runner(function (work) work(); end);
			readers[username] = reader;
		end
		local is_done, result = false, nil;
		reader:run(function ()
			if unread[username] then result = read(username); else result = true; end
			if is_done then return afterwards and afterwards(); end
			is_done = true;
		end);
		if is_done then
			if reader.state == "ready" then readers[username] = nil; end
			return result;
		end
		is_done = true; -- it comes too late for the caller
		return nil;
	end

	function loading.ensure(username)
		if is_unread(username) then ensure(username); end
	end

	--- Those that are sent something ---

	-- Whether a bounce of that could throw the account out of a room.
	local function may_be_of_room(stanza)
		local stanza_type = stanza.attr.type;
		if stanza.name == "message" then return stanza_type == "groupchat" or stanza_type == "error"; end
		return stanza.name == "presence" and (stanza_type == "error" or stanza:get_child("x", xmlns_muc_user) ~= nil);
	end

	local function read_first(event, username, preevents)
		local stanza, origin = event.stanza, event.origin;
		local copy; -- a local room uses its stanza again
		local result = ensure(username, function ()
			if copy then prosody.core_post_stanza(origin, copy, preevents); end
		end);
		if result == nil then
			copy = st.clone(stanza);
			return true;
		end
		if result == false and not preevents and may_be_of_room(stanza) then return true; end
	end

	local function to_account(event)
		local to = event.stanza.attr.to;
		local username = to and jid_node(to);
		if username and is_unread(username) then return read_first(event, username, false); end
	end

	local function from_session(event)
		local username = event.origin.username;
		if username and is_unread(username) then return read_first(event, username, true); end
	end

	local is_hooked = false;
	local function hook_all(wanted)
		if is_hooked == wanted then return; end
		is_hooked = wanted;
		local change = wanted and module.hook or module.unhook;
		for _, event in ipairs(hooked) do change(module, event, to_account, 2000); end
		for _, event in ipairs(hooked_of_sessions) do change(module, event, from_session, 2000); end
	end

	--- The rest ---

	local runner = async.runner(function (work) work(); end);
	local read_on;

	local function read_later(delay)
		module:add_timer(delay, function () runner:run(read_on); end);
	end

	local function list()
		local usernames, fault = storage.usernames();
		is_listed = usernames ~= nil;
		if not is_listed then
			hook_all(true);
			module:log("error", "It can't be read which accounts are in rooms: %s", fault or "no reason given");
			return;
		end
		for _, username in ipairs(usernames) do
			if unread[username] == nil then
				unread[username] = true;
				storage.hold(username);
				table.insert(line, username);
			elseif unread[username] then
				table.insert(line, username);
			end
		end
		hook_all(#line > 0);
	end

	local function pause_after_failure()
		read_later(retry_s);
		retry_s = math.min(retry_s * 2, last_retry_s);
	end

	function read_on()
		if not is_listed then list(); end
		if not is_listed then return pause_after_failure(); end
		local until_s = now() + slice_s;
		while #line > 0 do
			if now() >= until_s then return read_later(pause_s); end
			local username = table.remove(line);
			if unread[username] and ensure(username) == false then
				table.insert(line, 1, username); -- it may be broken: the others come first
				return pause_after_failure();
			end
		end
		retry_s = first_retry_s;
		hook_all(false);
	end

	-- When the server has started.
	function loading.begin()
		runner:run(read_on);
	end

	-- Reads all that is left, at once.
	function loading.finish()
		for _, username in ipairs(line) do loading.ensure(username); end
	end

	-- For a reload; nothing if it is not known of whom anything is stored.
	function loading.unread()
		if not is_listed then return nil; end
		local left = {};
		for _, username in ipairs(line) do
			if unread[username] then table.insert(left, username); end
		end
		return left;
	end

	--- That the server is up ---

	function loading.note_alive()
		storage.write_host(core.host_record());
	end

	local function note_alive_again()
		module:add_timer(alive_s, function ()
			loading.note_alive();
			note_alive_again();
		end);
	end

	if saved then
		for _, username in ipairs(saved) do
			unread[username] = true;
			storage.hold(username);
			table.insert(line, username);
		end
		hook_all(#line > 0);
	else
		runner:run(function ()
			local record = storage.read_host();
			if record then tell("what is stored of the host", core.host_loaded, record); end
			list();
			loading.note_alive();
		end);
	end
	note_alive_again();

	return loading;
end
