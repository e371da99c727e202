-- Test only. Fields of a room's configuration that Smack's tests fill in and Prosody lacks: whether there is a password,
-- which Prosody asks the password itself, and how many occupants may be in.

local st = require "prosody.util.stanza";

local below_all_checks = -25;

module:hook("muc-config-form", function (event)
	table.insert(event.form, { name = "muc#roomconfig_passwordprotectedroom", type = "boolean", value = false });
	table.insert(event.form, {
		name = "muc#roomconfig_maxusers", type = "text-single", value = tostring(event.room._data.max_occupants or "");
	});
end);

module:hook("muc-config-submitted/muc#roomconfig_maxusers", function (event)
	event.room._data.max_occupants = tonumber(event.value);
end);

local function count(room)
	local occupants = 0;
	for _ in room:each_occupant() do occupants = occupants + 1; end
	return occupants;
end

module:hook("muc-occupant-pre-join", function (event)
	local room, stanza = event.room, event.stanza;
	local limit = room._data.max_occupants;
	local affiliation = room:get_affiliation(stanza.attr.from);
	if not limit or affiliation == "owner" or affiliation == "admin" or count(room) < limit then return; end
	event.origin.send(st.error_reply(stanza, "wait", "service-unavailable", nil, room.jid));
	return true;
end, below_all_checks);
