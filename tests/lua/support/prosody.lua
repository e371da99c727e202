-- As much of Prosody as the wrapper touches: its own utilities, a host with events, sessions, and a module API.

local prosody_lib = os.getenv("PROSODY_LIB") or "/usr/lib/prosody";
local wrapper = os.getenv("MINIMIX_WRAPPER") or "lua/mod_minimix";

package.path = prosody_lib.."/?.lua;"..package.path;
package.cpath = package.cpath..";"..prosody_lib.."/?.so";
table.insert(package.searchers, 2, function (name) -- one library, whether asked for as util.x or prosody.util.x
	local plain = name:match("^prosody%.(.*)$");
	if plain then return function () return require(plain); end; end
end);

package.loaded["util.timer"] = { add_task = function () end, stop = function () end };

package.loaded["core.usermanager"] = {
	user_exists = function (username) return prosody_users == nil or prosody_users[username]; end; -- luacheck: ignore 113
};

local archives = require "support.archives";
local async = require "util.async";
local events = require "util.events";
local jid = require "util.jid";
local promise = require "util.promise";
local st = require "util.stanza";

local fake = { st = st };

local function is_level(level)
	return level == "debug" or level == "info" or level == "warn" or level == "error";
end

-- The `module` of a module on that host.
local function new_api(server, name, options)
	local host = server.hosts[name];
	local api = { name = "minimix", host = name, timers = {}, priorities = {} };

	function api:hook(event, handler, priority)
		table.insert(self.priorities, event.." "..(priority or 0));
		host.events.add_handler(event, handler, priority);
	end
	function api:unhook(event, handler) -- luacheck: ignore 212/self
		host.events.remove_handler(event, handler);
	end
	function api:hook_global(event, handler, priority) -- luacheck: ignore 212/self
		server.events.add_handler(event, handler, priority);
	end
	function api:shared(path) -- luacheck: ignore 212/self
		server.shared[path] = server.shared[path] or {};
		return server.shared[path];
	end
	function api:fire_event(event, data) return host.events.fire_event(event, data); end -- luacheck: ignore 212/self
	function api:add_timer(delay, callback)
		local timer = { delay = delay, callback = callback };
		function timer.stop() timer.callback = nil; end
		table.insert(self.timers, timer);
		return timer;
	end
	function api:log(level, format, ...) -- luacheck: ignore 212/self
		assert(is_level(level), level);
		table.insert(server.log, level.." "..format:format(...));
	end
	function api:handle_items(key, added, removed) -- luacheck: ignore 212/self
		table.insert(server.item_handlers, { key = key, added = added, removed = removed });
		for _, item in ipairs(server.items[key] or {}) do added({ item = item }); end
	end
	function api:open_store(store, kind) -- luacheck: ignore 212/self
		if store == "blocklist" then return { get = function (_, user) return server.blocked[user]; end }; end
		if kind == "archive" then return server.archives(store); end
		return server.stores(store or "minimix", kind);
	end
	function api:send(stanza, origin) -- luacheck: ignore 212/self
		server.send(stanza);
		if server.answer then server.answer(stanza, origin); end
	end
	function api:send_iq(stanza) -- luacheck: ignore 212/self
		server.send(stanza);
		return promise.new(function (resolve, reject) server.answered, server.refused = resolve, reject; end);
	end
	function api:get_option(option) return options[option]; end -- luacheck: ignore 212/self
	api.get_option_number, api.get_option_array, api.get_option_string = api.get_option, api.get_option, api.get_option;
	function api:get_option_boolean(option, default) -- luacheck: ignore 212/self
		if options[option] == nil then return default; end
		return options[option];
	end
	function api:get_directory() return wrapper; end -- luacheck: ignore 212/self
	api.on_ready = not server.is_0_12 and function () end or nil;
	function api:load_resource(path) return io.open(wrapper.."/"..path); end -- luacheck: ignore 212/self
	function api:daily(_, task) server.daily = task; end -- luacheck: ignore 212/self
	function api:require(library)
		return assert(loadfile(wrapper.."/"..library..".lib.lua", "t", self.environment))();
	end
	-- Lets the time of all timers come.
	function api:run_timers()
		local timers = self.timers;
		self.timers = {};
		for _, timer in ipairs(timers) do
			if timer.callback then timer.callback(); end
		end
	end
	return api;
end

-- Stores as Prosody has them. Where `fails` is a text, every access says so. What is stored of the user `broken` can't be
-- read.
local function new_stores()
	local stores = { data = {}, remove = {}, writes = 0 };
	local function data_of(name)
		stores.data[name] = stores.data[name] or {};
		return stores.data[name];
	end
	local function access(name, user)
		if stores.waits then stores.waits(); end
		if not async.ready() then error("ASYNC-01: not in an async context"); end
		if stores.fails then return nil, stores.fails; end
		if user and user == stores.broken then return nil, "Error reading storage"; end
		return data_of(name);
	end
	local function written(name, user, value)
		local data, fault = access(name);
		if data == nil then return nil, fault; end
		stores.writes = stores.writes + 1;
		data[user or false] = value and next(value) ~= nil and value or nil;
		return true;
	end
	local methods = {};
	function methods:get(user)
		local data, fault = access(self.name, user);
		if data == nil then return nil, fault; end
		return data[user or false];
	end
	function methods:users()
		local data, fault = access(self.name);
		if data == nil then return nil, fault; end
		local user;
		return function (state) -- as that of lfs.dir, it has to be given its state
			assert(state == data, "no state");
			user = next(data, user);
			return user;
		end, data;
	end
	function methods:set(user, value) return written(self.name, user, value); end
	function methods:set_keys(user, changes)
		local data, fault = access(self.name, user);
		if data == nil then return nil, fault; end
		local value = {};
		for key, text in pairs(data[user] or {}) do value[key] = text; end
		for key, text in pairs(changes) do
			if text == stores.remove then value[key] = nil; else value[key] = text; end
		end
		return written(self.name, user, value);
	end
	return setmetatable(stores, { __call = function (_, name)
		return setmetatable({ name = name, remove = stores.remove }, { __index = methods });
	end });
end

-- A server with one VirtualHost and a host of rooms; `sent` is what goes to rooms, as XML.
function fake.server()
	local server = { log = {}, sent = {}, blocked = {}, hosts = {}, full_sessions = {}, process_type = "prosody" };
	server.events = events.new();
	server.hosts["example.org"] = { host = "example.org", type = "local", events = events.new(), sessions = {}, modules = {} };
	server.hosts["rooms.example.org"] = { host = "rooms.example.org", type = "component", events = events.new() };
	server.items, server.item_handlers, server.shared = {}, {}, {};
	server.stores = new_stores();
	server.archives = archives.new(server);
	function server.send(stanza) table.insert(server.sent, tostring(stanza)); end
	return server;
end

-- An item of another module is there from now on, or goes.
function fake.add_item(server, key, item)
	server.items[key] = server.items[key] or {};
	table.insert(server.items[key], item);
	for _, handler in ipairs(server.item_handlers) do
		if handler.key == key then handler.added({ item = item }); end
	end
end

function fake.remove_item(server, key, item)
	for i, known in ipairs(server.items[key]) do
		if known == item then table.remove(server.items[key], i); end
	end
	for _, handler in ipairs(server.item_handlers) do
		if handler.key == key then handler.removed({ item = item }); end
	end
end

-- Loads the wrapper, with what a reload saved if there is something.
function fake.load(server, options, saved)
	options = setmetatable({}, { __index = options or {} });
	if options.minimix_archive == nil then options.minimix_archive = "off"; end -- tests of it say so
	local api = new_api(server, "example.org", options);
	api.saved_state = saved;
	api.environment = setmetatable({ module = api, prosody = server }, { __index = _G });
	assert(loadfile(wrapper.."/mod_minimix.lua", "t", api.environment))();
	api.saved_state = nil;
	return api;
end

-- What modulemanager does: save, unload, load.
function fake.reload(server, old, options)
	local saved = old.save();
	old.reloading = true;
	old.unload();
	server.hosts["example.org"].events = events.new();
	return fake.load(server, options, saved);
end

-- A connected session; `received` is what it got, as XML.
function fake.session(server, username, resource)
	local host = server.hosts["example.org"];
	local session = {
		type = "c2s", username = username, host = host.host, resource = resource;
		full_jid = username.."@"..host.host.."/"..resource, received = {};
	};
	function session.send(stanza)
		table.insert(session.received, tostring(stanza));
		return true;
	end
	server.full_sessions[session.full_jid] = session;
	host.sessions[username] = host.sessions[username] or { sessions = {} };
	host.sessions[username].sessions[resource] = session;
	return session;
end

local function kind_of(address)
	local node, _, resource = jid.split(address);
	return node and (resource and "/full" or "/bare") or "/host";
end

-- A session sends a stanza; gives what the last hook said.
function fake.client_sends(server, session, stanza)
	stanza.attr.from = session.full_jid;
	local event = { origin = session, stanza = stanza };
	local name = "pre-"..stanza.name..(stanza.attr.to and kind_of(stanza.attr.to) or "/bare");
	return server.hosts["example.org"].events.fire_event(name, event);
end

-- A stanza comes for an address of the VirtualHost; gives what the last hook said.
function fake.arrives(server, stanza)
	local event = { origin = server.hosts["rooms.example.org"], stanza = stanza };
	return server.hosts["example.org"].events.fire_event(stanza.name..kind_of(stanza.attr.to), event);
end

function fake.fires(server, event, data)
	return server.hosts["example.org"].events.fire_event(event, data);
end

return fake;
