-- Test only. A second session of every account, which is in each room that a session of the account is in.
--
-- It has no connection: what it is sent is forgotten. It joins as soon as the room has shown the first session in, away
-- for long, so that the first one stays the account's representative, and leaves just before it.
--
--	lab_second_ahead = true -- it joins just before the first one, if the room exists, so that the account is in already

local st = require "prosody.util.stanza";
local sessionmanager = require "prosody.core.sessionmanager";
local add_filter = require "prosody.util.filters".add_filter;
local jid_bare = require "prosody.util.jid".bare;
local jid_host = require "prosody.util.jid".host;

local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local before_everybody = 1000000;
local resource = "second";
local ahead = module:get_option_boolean("lab_second_ahead", false);

local function nothing() return true; end
local no_connection = {
	write = nothing, close = nothing, ip = function () return "127.0.0.1"; end, port = nothing,
	set_sslctx = nothing, pause_writes = nothing, resume_writes = nothing, ssl_info = nothing,
};

local function second_of(username)
	local sessions = prosody.hosts[module.host].sessions[username];
	return sessions and sessions.sessions[resource];
end

local function says(session, stanza)
	stanza.attr.from = session.full_jid;
	stanza.attr.xmlns = nil;
	prosody.core_process_stanza(session, stanza);
end

local function has_status(stanza, code)
	local x = stanza:get_child("x", xmlns_muc_user);
	for status in (x or stanza):childtags("status") do
		if status.attr.code == code then return true; end
	end
	return false;
end

local function watch_second(stanza, session)
	if stanza.name == "presence" and not stanza.attr.type and has_status(stanza, "110") then
		module:log("info", "The second session of %s is in %s", session.username, jid_bare(stanza.attr.from));
	end
	return stanza;
end

local function bring_second(username)
	local session = sessionmanager.new_session(no_connection);
	session.host = module.host;
	session.type = "c2s_unauthed";
	session.secure = true;
	function session.close() sessionmanager.destroy_session(session); end
	sessionmanager.make_authenticated(session, username);
	sessionmanager.bind_resource(session, resource);
	add_filter(session, "stanzas/out", watch_second);
	says(session, st.presence():tag("show"):text("xa"):up());
	return session;
end

local function second_for(session)
	return second_of(session.username) or bring_second(session.username);
end

local function follow(session, occupant)
	says(second_for(session), st.presence({ to = occupant, id = "second" })
		:tag("show"):text("xa"):up():tag("x", { xmlns = xmlns_muc }):up());
end

local function room_exists(jid)
	local service = prosody.hosts[jid_host(jid)];
	local muc = service and service.modules.muc;
	return muc and muc.get_room_from_jid(jid_bare(jid)) ~= nil;
end

-- As the first one is about to join, so nobody else sees a difference.
local function go_ahead(event)
	local origin, stanza = event.origin, event.stanza;
	local occupant = stanza.attr.to;
	if stanza.attr.type or not stanza:get_child("x", xmlns_muc) or not origin.lab_rooms then return; end
	if origin.lab_rooms[jid_bare(occupant)] or not room_exists(occupant) then return; end
	local join = st.clone(stanza);
	join.attr.id = "second";
	says(second_for(origin), join);
end
if ahead then module:hook("pre-presence/full", go_ahead, before_everybody); end

local function watch_first(stanza, session)
	if stanza.name ~= "presence" then return stanza; end
	local occupant, in_by_now = stanza.attr.from, session.lab_rooms;
	local room = jid_bare(occupant);
	if stanza.attr.type == "unavailable" and has_status(stanza, "110") and not has_status(stanza, "303") then
		in_by_now[room] = nil;
	elseif not stanza.attr.type and has_status(stanza, "110") and not in_by_now[room] then
		in_by_now[room] = true;
		module:log("info", "The first session of %s is in %s", session.username, room);
		module:add_timer(0, function ()
			if in_by_now[room] then follow(session, occupant); end
		end);
	end
	return stanza;
end

module:hook("resource-bind", function (event)
	local session = event.session;
	if session.resource == resource then return; end
	session.lab_rooms = {};
	add_filter(session, "stanzas/out", watch_first);
end);

local function leave_before(event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.attr.type ~= "unavailable" or not origin.lab_rooms or not stanza.attr.to then return; end
	local second = second_of(origin.username);
	if second and origin.lab_rooms[jid_bare(stanza.attr.to)] then
		says(second, st.presence({ to = stanza.attr.to, type = "unavailable" }));
	end
end
module:hook("pre-presence/full", leave_before, before_everybody);
module:hook("pre-presence/bare", leave_before, before_everybody);
