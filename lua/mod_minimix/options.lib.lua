-- The options, as the core reads them: times in seconds, what the operator did not set left out.

local jid_prep = require "util.jid".prep;

local units = { second = 1, minute = 60, hour = 3600, day = 86400, week = 604800 };

-- COMPAT 0.12: there is no get_option_period
local function period_before_13(name)
	local value = module:get_option(name);
	if value == nil or type(value) == "number" then return value; end
	if value == "never" or value == false then return math.huge; end
	local count, unit = tostring(value):match("^%s*(%d+)%s*(%a+)%s*$");
	local seconds = unit and units[(unit:gsub("s$", ""))];
	if not seconds then
		module:log("error", "Config option '%s' not understood, expecting a period (e.g. \"2 days\")", name);
		return nil;
	end
	return tonumber(count) * seconds;
end

local function period(name)
	if not module.get_option_period then return period_before_13(name); end
	return module:get_option_period(name);
end

local function count(name)
	local value = module:get_option_number(name);
	if value == nil then return nil; end
	return math.max(0, math.floor(value));
end

-- Rooms and services as the core compares them. An entry that is no JID is logged and left out.
local function addresses(name)
	local prepared = {};
	for _, entry in ipairs(module:get_option_array(name) or {}) do
		local wildcard, rest = tostring(entry):match("^(%*?%.?)(.*)$");
		local jid = jid_prep(rest);
		if jid then
			table.insert(prepared, wildcard..jid);
		else
			module:log("error", "Config option '%s': '%s' is no room and no service", name, entry);
		end
	end
	return prepared;
end

local archives = { off = true, needed = true, all = true };

local function archive()
	local value = module:get_option("minimix_archive");
	if value == nil then return "needed"; end
	if value == false then return "off"; end
	if archives[value] then return value; end
	module:log("error", "Config option 'minimix_archive' not understood, expecting \"needed\", \"all\" or \"off\"");
	return "needed";
end

return {
	history = count("minimix_history");
	history_max = count("minimix_history_max");
	history_default = count("minimix_history_default");
	history_bytes = count("minimix_history_bytes");
	history_age = period("minimix_history_age");
	trust = period("minimix_trust");
	linger = period("minimix_linger");
	linger_affiliated = period("minimix_linger_affiliated");
	away_delay = period("minimix_away_delay");
	check = period("minimix_check");
	dormant = period("minimix_dormant");
	archive = archive();
	archive_expires = period("minimix_archive_expires");
	autojoin = module:get_option_boolean("minimix_autojoin");
	store_passwords = module:get_option_boolean("minimix_store_passwords");
	rooms_per_account = count("minimix_rooms_per_account");
	room_memory = count("minimix_room_memory");
	account_memory = count("minimix_account_memory");
	domain_memory = count("minimix_domain_memory");
	memory = count("minimix_memory");
	exclude = addresses("minimix_exclude");
};
