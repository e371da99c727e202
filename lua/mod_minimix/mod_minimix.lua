-- mod_minimix: the account is in the room, its sessions attach and detach (account-based joining, XEP-0045).
--
-- The core, a native library, decides; this module hands it what happens and does what it says.
-- Here: options, the core itself, the other files, what survives a reload.

if prosody.process_type ~= "prosody" then return; end -- prosodyctl loads modules as well

local VERSION = "0.1.0";
local seed_length = 32; -- bytes that ids come from, so that nobody can guess them

local st = require "util.stanza";
local random = require "util.random";

local options = module:require "options";

local function refuse(format, ...)
	local why = format:format(...);
	module:log("error", "%s", why);
	if module.set_status then module:set_status("error", why); end
end

if prosody.hosts[module.host].type ~= "local" then
	return refuse("mod_minimix belongs on a VirtualHost, %s is none", module.host);
end
if module:get_option_string("authentication") == "anonymous" then
	module:log("info", "Sessions of an anonymous host stay in their rooms by themselves");
	return;
end

local core_library, load_fault = module:require "core"(VERSION);
if not core_library then return refuse("%s", load_fault); end

local saved = module.saved_state; -- what save() returned, while a reload is under way
local metatable = getmetatable(st.stanza("presence"));

local core, fault = core_library.open(options, random.bytes(seed_length), metatable, saved and saved.snapshot);
if not core and saved then
	module:log("error", "The rooms from before the reload are lost: %s", fault);
	saved = nil;
	core, fault = core_library.open(options, random.bytes(seed_length), metatable);
end
if not core then return refuse("mod_minimix: %s", fault); end

module:log("info", "Accounts join rooms once for all their sessions (mod_minimix %s)", VERSION);

local sessions = module:require "sessions"(saved and saved.next_session_id);
local stack = module:require "stack";
local storage = module:require "storage"(saved and saved.unwritten);
local actions = module:require "actions"(core, sessions, stack, storage);
local answers = module:require "answers"(core, actions, stack);
local blocklist = module:require "blocklist"(function (account, blocked)
	answers.tell("a change of a block list", core.blocks, account, blocked);
end, core.blocking_accounts());
local loading = module:require "loading"(core, storage, blocklist, answers, saved and saved.unread);
local room_hooks = module:require "room_hooks"(core, sessions, actions, answers, stack);
local session_hooks = module:require "session_hooks"(core, sessions, answers, blocklist, room_hooks);
local host_hooks = module:require "host_hooks"(core, answers, stack, storage, loading);
local push = module:require "push"(core, answers, actions);
local log = module:require "archive"(core, answers, actions, options);
storage.log = log;
local page, newest = module:require "archive_merge"(core, log);
module:require "archive_query"(log, page);
module:require "archive_replay"(core, log, newest, actions, answers);
module:require "handover".finish();

-- When everything is loaded: the hosts of rooms as well.
function module.ready()
	if not saved then
		for _, session in ipairs(sessions.connected()) do session_hooks.already_in(session); end
	end
	answers.wake();
	loading.begin();
	push.begin();
end
if not module.on_ready then -- COMPAT 0.12: 13.0 calls it by itself
	if prosody.start_time then
		module.ready();
	else
		module:hook_global("server-started", module.ready);
	end
end

function module.save()
	-- The library in this process stays what it is until a restart, so a newer wrapper would have no core.
	local file = module:load_resource("mod_minimix.lua");
	local version = file and file:read("*a"):match('VERSION = "([^"]+)"');
	if file then file:close(); end
	if version and version ~= VERSION then
		error(("Restart Prosody to update mod_minimix from %s to %s"):format(VERSION, version), 0);
	end
	stack.flush_everything();
	local unwritten = storage.unwritten(); -- before the snapshot: the core is told what is written
	return {
		snapshot = assert(core.snapshot()), next_session_id = sessions.next_id();
		unread = loading.unread(), unwritten = unwritten;
	};
end

function module.unload()
	if not module.reloading then
		host_hooks.hand_back();
		sessions.forget_all();
	end
	host_hooks.close();
	push.close();
	room_hooks.close();
	core.close();
end
