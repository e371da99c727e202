-- After an unload rooms still send stanzas to the accounts. Prosody would show the account's own leave to every
-- session, even outside the room. So these stanzas are swallowed for a minute.

local add_task = require "util.timer".add_task;
local jid_bare = require "util.jid".bare;

local host = prosody.hosts[module.host];
local patience = 60;
local above_filters = 1000; -- as room_hooks.lib.lua

local handover = {};

-- The module is back, or the minute is over.
function handover.finish()
	if host.minimix_handover then host.minimix_handover(); end
end

-- These outlive the module, so they are not hooked by it.
function handover.begin(rooms)
	handover.finish();
	local swallowed = {};
	for _, room in ipairs(rooms) do swallowed[room] = true; end
	local function swallow(event)
		local attr = event.stanza.attr;
		if attr.to and attr.from and swallowed[jid_bare(attr.from)] then return true; end
	end
	local function swallow_groupchat(event)
		if event.stanza.attr.type == "groupchat" then return swallow(event); end
	end
	host.events.add_handler("presence/bare", swallow, above_filters);
	host.events.add_handler("message/bare", swallow_groupchat, above_filters);
	local function finish()
		if host.minimix_handover ~= finish then return; end
		host.minimix_handover = nil;
		host.events.remove_handler("presence/bare", swallow);
		host.events.remove_handler("message/bare", swallow_groupchat);
	end
	host.minimix_handover = finish; -- luacheck: ignore 122
	add_task(patience, finish);
end

return handover;
