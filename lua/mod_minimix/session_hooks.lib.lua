-- What sessions send, and what becomes of them.
--
-- | event                        | priority | why there |
-- |------------------------------|----------|-----------|
-- | pre-message/…, pre-iq/…      | -2       | below mod_mam, mod_carbons and mod_mam again |
-- | pre-presence/…               | -10      | after mod_presence, which notes it as directed |
-- | pre-presence/full, /bare     | 1        | subscriptions, which mod_presence sends as the account at 0 |
-- | carbons-should-copy          | 1        | before mod_carbons decides at 0 |
-- | archive-should-store         | 1        | before mod_mam decides at -1 |
-- | smacks-hibernation-start, -end | 0      | |
-- | resource-unbind              | 1        | before mod_presence at 0, whose unavailables look like leaves |
-- | delivery/failure             | -1       | mod_smacks keeps chat messages at 0, if no session is left |

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local jid_host = require "util.jid".host;
local jid_resource = require "util.jid".resource;

local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_rai = "urn:xmpp:rai:0";

return function (core, sessions, answers, blocklist, room_hooks)
	local session_hooks = {};
	local tell = answers.tell;

	local function apologise(event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.type == "error" or stanza.attr.type == "result" or origin.destroyed then return; end
		local room = jid_bare(stanza.attr.to);
		local reply = st.error_reply(stanza, "wait", "internal-server-error", "The account's rooms had a fault", room);
		if stanza.name == "presence" then -- some clients know an error of a join by this alone
			reply:reset():tag("x", { xmlns = xmlns_muc }):reset();
		end
		origin.send(reply);
	end

	local function refuse(event, level, why)
		module:log(level, "A %s of type %s was not taken in: %s", event.stanza.name, event.stanza.attr.type, why);
		apologise(event);
	end

	local function carry_out_answer(event, answer)
		if answer == nil or answer == true then return answer; end
		local origin = event.origin;
		-- mod_presence goes on to the next room of a dead session
		return answers.carry_out_stanza(event, answer, refuse, origin.minimix_account, event.stanza.attr.to, not origin.destroyed);
	end

	-- A component and the host itself send as well, and have no session.
	local function session_id(origin)
		if origin.type ~= "c2s" or not origin.username then return nil; end
		return origin.minimix_id or sessions.id(origin);
	end

	--- Stanzas ---

	local function session_stanza(event, joins)
		local origin, stanza = event.origin, event.stanza;
		local to, id = stanza.attr.to, session_id(origin);
		if to == nil or id == nil then return; end
		return carry_out_answer(event, core.client_stanza(id, origin.minimix_account, to, joins, stanza));
	end

	local function session_message_or_iq(event)
		return session_stanza(event, false);
	end
	for _, kind in ipairs({ "message", "iq" }) do
		module:hook("pre-"..kind.."/full", session_message_or_iq, -2);
		module:hook("pre-"..kind.."/bare", session_message_or_iq, -2);
	end

	local function is_virtual_host(jid)
		local host = prosody.hosts[jid_host(jid)];
		return host ~= nil and host.type == "local";
	end

	local function session_presence(event)
		local stanza = event.stanza;
		local joins = stanza.attr.type == nil and stanza:get_child("x", xmlns_muc) ~= nil;
		if joins then
			if is_virtual_host(stanza.attr.to) then return; end -- there are no rooms
			if session_id(event.origin) then blocklist.know(event.origin); end
		end
		return session_stanza(event, joins);
	end
	module:hook("pre-presence/full", session_presence, -10);

	-- Without `to` it is for everybody; an `unavailable` comes here before mod_presence tells all rooms.
	local function session_presence_to_bare(event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.to then return session_presence(event); end
		local id = origin.minimix_id;
		if id and stanza.attr.type == "unavailable" and not origin.destroyed then
			tell("the end of a presence", core.session_unavailable, id);
		end
	end
	module:hook("pre-presence/bare", session_presence_to_bare, -10);

	-- A subscription goes on as the account's; the core remembers whom its refusal is for.
	local function session_subscription(event)
		local of_type = event.stanza.attr.type;
		if of_type == nil or of_type == "unavailable" or of_type == "probe" or of_type == "error" then return; end
		local handled = session_stanza(event, false);
		event.origin = room_hooks.stand_in_for(event.origin);
		return handled;
	end
	module:hook("pre-presence/full", session_subscription, 1);
	module:hook("pre-presence/bare", session_subscription, 1);

	-- Room activity indicators (XEP-0437): a client that asks for them hides a room by leaving it.
	local function session_presence_to_host(event)
		local attr = event.stanza.attr;
		local gone = attr.type == "unavailable";
		if not gone and (attr.type or not event.stanza:get_child("rai", xmlns_rai)) then return; end
		local id = session_id(event.origin);
		if id == nil or attr.to == nil then return; end
		return carry_out_answer(event, core.watches(id, event.origin.minimix_account, attr.to, not gone));
	end
	module:hook("pre-presence/host", session_presence_to_host, -10);

	-- Says no, if the answer to that question about a session's message to an occupant is yes.
	local function decline_if(question)
		return function (event)
			local session, to = event.session, event.stanza.attr.to;
			local id = session_id(session);
			if id == nil or to == nil or not to:find("/", 1, true) then return; end
			if question(session.minimix_account, to) then
				event.reason = "muc-pm";
				return false;
			end
		end;
	end

	-- mod_carbons would copy a private message to the sessions outside the room: those inside get it from us.
	module:hook("carbons-should-copy", decline_if(core.occupies), 1);

	-- mod_mam would archive a private message to ourselves as sent, and once more as received.
	module:hook("archive-should-store", decline_if(core.is_ourselves), 1);

	--- What becomes of sessions ---

	local function tell_state(call, session)
		local id = session.minimix_id;
		if id then tell("the state of a session", call, id); end
	end

	module:hook("smacks-hibernation-start", function (event)
		tell_state(core.session_hibernated, event.origin);
	end);

	module:hook("smacks-hibernation-end", function (event)
		tell_state(core.session_resumed, event.resumed);
	end);

	module:hook("resource-unbind", function (event)
		tell_state(core.session_gone, event.session);
		if event.session.minimix_id then sessions.forget(event.session); end
	end, 1);

	module:hook("delivery/failure", function (event)
		local session, stanza, attr = event.session, event.stanza, event.stanza.attr;
		if not session.username or not attr.from then return; end
		local account = session.username.."@"..session.host;
		return answers.tell_about({ origin = session, stanza = stanza }, "a failed delivery", core.delivery_failed,
			session.minimix_id, account, attr.to or account, attr.from, stanza);
	end, -1);

	-- A session that joined before the module was loaded; contacts that got presence look the same.
	function session_hooks.already_in(session)
		local occupants = {};
		for jid in pairs(session.directed or {}) do
			if jid_resource(jid) and not is_virtual_host(jid) then table.insert(occupants, jid); end
		end
		table.sort(occupants);
		for _, occupant in ipairs(occupants) do
			tell("a room joined before", core.already_in, sessions.id(session), session.full_jid, occupant);
		end
	end

	return session_hooks;
end
