-- Test only. Tells when a room service gets from a session, and not from its account, what an occupant says.
--
--	lab_faces = { "with.lab" } -- hosts whose accounts join for their sessions

local jid = require "prosody.util.jid";

local xmlns_muc = "http://jabber.org/protocol/muc";
local before_everybody = 1000000;

local hosts = module:get_option_set("lab_faces", {});
local muc = module:depends("muc");

local function is_occupant(account, room_jid)
	local room = muc.get_room_from_jid(room_jid);
	return room and room:get_occupant_by_real_jid(account);
end

local function look(event)
	local stanza = event.stanza;
	local from, to = stanza.attr.from, stanza.attr.to;
	local _, host, session = jid.split(from);
	if not session or not hosts:contains(host) then return; end
	local joins = stanza.name == "presence" and stanza.attr.type == nil and stanza:get_child("x", xmlns_muc);
	if joins or is_occupant(jid.bare(from), jid.bare(to)) then
		module:log("warn", "The room saw the face of %s: a %s of type %s to %s", from, stanza.name, stanza.attr.type, to);
	end
end

for _, kind in ipairs({ "message", "presence" }) do
	module:hook(kind.."/full", look, before_everybody);
	module:hook(kind.."/bare", look, before_everybody);
end
