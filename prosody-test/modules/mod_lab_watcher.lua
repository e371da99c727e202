-- Test only. Notes what comes for the sessions of an account, as a module that watches would, and tells it the account:
--
--	<seen xmlns="urn:lab:watcher"/>     in a query of a session to its own account: what came for its sessions
--	<rooms xmlns="urn:lab:watcher"/>    the rooms that mod_track_muc_joins knows this session in

local st = require "prosody.util.stanza";
local jid_node = require "prosody.util.jid".node;

local xmlns = "urn:lab:watcher";
-- Most modules stand at 0, as mod_mam does, before which or after which in no order: hence a little later.
local priorities = { message = -0.1, presence = 50, iq = 50 };

local seen = {}; -- by user: how many there were of each kind

local function names_of_children(stanza)
	local names = {};
	for _, child in ipairs(stanza.tags) do table.insert(names, child.name); end
	table.sort(names);
	return table.concat(names, " ");
end

local function note(event)
	local stanza = event.stanza;
	local attr = stanza.attr;
	local of_user = seen[jid_node(attr.to)] or {};
	seen[jid_node(attr.to)] = of_user;
	local key = table.concat({ stanza.name, attr.type or "", attr.from, attr.to, names_of_children(stanza) }, "\n");
	of_user[key] = (of_user[key] or 0) + 1;
end

for _, kind in ipairs({ "message", "presence", "iq" }) do
	module:hook(kind.."/full", note, priorities[kind]);
end

local function sorted_keys(map)
	local keys = {};
	for key in pairs(map or {}) do table.insert(keys, key); end
	table.sort(keys);
	return keys;
end

module:hook("iq-get/self/"..xmlns..":seen", function (event)
	local origin, stanza = event.origin, event.stanza;
	local reply = st.reply(stanza):tag("seen", { xmlns = xmlns });
	for _, key in ipairs(sorted_keys(seen[origin.username])) do
		local kind, of_type, from, to, holds = key:match("^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$");
		local times = tostring(seen[origin.username][key]);
		reply:tag(kind, { type = of_type, sender = from, receiver = to, holds = holds, times = times }):up();
	end
	origin.send(reply);
	return true;
end);

module:hook("iq-get/self/"..xmlns..":rooms", function (event)
	local origin, stanza = event.origin, event.stanza;
	local reply = st.reply(stanza):tag("rooms", { xmlns = xmlns });
	for _, room in ipairs(sorted_keys(origin.rooms_joined)) do
		reply:tag("room", { jid = room, nick = origin.rooms_joined[room] }):up();
	end
	origin.send(reply);
	return true;
end);
