-- Which event of Prosody becomes which call of the core, and what its answer means for that event.

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local jid_host = require "util.jid".host;
local jid_resource = require "util.jid".resource;

local type, pcall = type, pcall;

local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_old_delay = "jabber:x:delay";
local xmlns_rai = "urn:xmpp:rai:0";

return function (core, sessions, actions, answers, blocklist_of)
	local hooks = {};
	local client_hooks, room_hooks = 0, 0; -- how many are on the stack
	local relay, carry_out, fetched = actions.relay, answers.carry_out, answers.fetched;
	local told, report_failures = answers.told, answers.report_failures;

	-- After a panic what the core knows of that room is worth nothing.
	local function abandon(account, room)
		told("leaving a room after a fault", pcall(core.abandoned, account, room));
	end

	-- The core can't deal with the stanza; nobody else shall, or a bounce would throw the account out.
	local function fault(level, event, why)
		module:log(level, "A %s of type %s was not taken in: %s", event.stanza.name, event.stanza.attr.type, why);
	end

	--- Stanzas from a room ---

	function actions.in_room_hook()
		return room_hooks > 0;
	end

	local function room_hook_left(ok, handled)
		room_hooks = room_hooks - 1;
		if not ok then
			module:log("error", "A stanza of a room was dropped: %s", handled);
			return true;
		end
		return handled;
	end

	local function in_room_hook(run, ...)
		room_hooks = room_hooks + 1;
		return room_hook_left(pcall(run, ...));
	end

	-- Whether it was said just now, and nobody but the account's archive speaks for that (A5).
	local function is_live_groupchat(stanza, account)
		if stanza.name ~= "message" or stanza.attr.type ~= "groupchat" then return false; end
		for _, child in ipairs(stanza) do
			local name = type(child) == "table" and child.name;
			if name == "delay" or name == "x" and child.attr.xmlns == xmlns_old_delay then return false; end
			if name == "stanza-id" and child.attr.by == account then return false; end
		end
		return true;
	end

	-- What people say reaches the sessions that have been shown the room, even if the core can't take it in.
	local function relay_untaken(stanza)
		local attr = stanza.attr;
		if not is_live_groupchat(stanza, attr.to) then return; end
		local receivers = core.fallback_receivers(attr.to, attr.from);
		relay(stanza, attr, receivers, #receivers);
	end

	local function room_answer(event, ok, answer)
		local stanza = event.stanza;
		if not ok or type(answer) == "string" then
			fault(ok and "debug" or "error", event, ok and answer or "the core failed");
			local relayed, why = pcall(relay_untaken, stanza);
			if not relayed then module:log("error", "It reaches no session: %s", why); end
			if not ok then abandon(jid_bare(stanza.attr.to), jid_bare(stanza.attr.from)); end
			report_failures();
			return true;
		end
		local handled = carry_out(event, answer);
		report_failures();
		return handled;
	end

	-- Where the core says to whom a stanza is to be relayed: one table for each hook on the stack.
	local receivers_at = setmetatable({}, { __index = function (tables, depth)
		tables[depth] = {};
		return tables[depth];
	end });

	-- Lets the core look at a stanza of a room, by that function. Most are to be relayed, and nothing else.
	local function room_stanza_to(look, event, account, from, stanza)
		local receivers = receivers_at[room_hooks];
		local answer = look(account, from, stanza, receivers);
		if answer == nil or answer == true then return answer; end
		local handled = true;
		if answer then
			room_hooks = room_hooks + 1;
			local failed = relay(stanza, stanza.attr, receivers, answer);
			room_hooks = room_hooks - 1;
			if failed then in_room_hook(report_failures); end
		else
			handled = in_room_hook(room_answer, event, fetched(answer));
		end
		if actions.waiting() and client_hooks == 0 then actions.drain_soon(); end
		return handled;
	end

	local function room_stanza(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local account, from = attr.to, attr.from;
		if account == nil or from == nil then return; end -- a session to its own account
		return room_stanza_to(core.room_stanza, event, account, from, stanza);
	end

	local function room_presence(event)
		local presence_type = event.stanza.attr.type;
		if presence_type == nil or presence_type == "unavailable" or presence_type == "error" then
			return room_stanza(event);
		end
	end
	module:hook("presence/bare", room_presence, 5); -- mod_presence shows it to every session at 0

	local function room_groupchat(event)
		if event.stanza.attr.type == "groupchat" then return room_stanza(event); end
	end
	module:hook("message/bare", room_groupchat, 5); -- mod_mam clones it at 0

	local function archive_result(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local account, from = attr.to, attr.from;
		if attr.type and attr.type ~= "normal" or account == nil or from == nil then return; end
		return room_stanza_to(core.archive_result, event, account, from, stanza);
	end
	module:hook("message/bare", archive_result, 4); -- mod_mam archives at 0

	local function room_message(event)
		if event.stanza.attr.type ~= "groupchat" then return room_stanza(event); end
	end
	module:hook("message/bare", room_message, -0.25); -- archived by mod_mam at 0, not yet copied by mod_carbons

	local function room_iq(event)
		return room_stanza(event);
	end
	module:hook("iq/bare", room_iq, 5); -- mod_iq answers it at 0

	-- mod_blocklist drops or bounces at 100 what a blocked occupant sends; the core follows the room all the same.
	local blocklist = blocklist_of(function (account, blocked)
		told("a change of a block list", pcall(core.blocks, account, blocked));
	end);

	blocklist.look_with(function (event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local account, from = attr.to, attr.from;
		if from == nil then return; end
		if stanza.name == "message" and attr.type ~= "groupchat" then -- it bounces an invitation by somebody blocked
			local handled = room_stanza_to(core.blocked_invitation, event, account, from, stanza);
			if handled ~= nil then return handled; end
		end
		return room_stanza_to(core.blocked_stanza, event, account, from, stanza);
	end);

	-- A session that is in a room by itself; most are not.
	local function stanza_to_session(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local session = attr.to and prosody.full_sessions[attr.to];
		local account = session and session.minimix_account;
		if account == nil or attr.from == nil then return; end
		return room_stanza_to(core.stanza_to_session, event, account, attr.from, stanza);
	end
	module:hook("presence/full", stanza_to_session, 5); -- mod_presence delivers at 0
	module:hook("message/full", stanza_to_session, 5); -- mod_mam archives at 0

	local function error_to_session(event)
		if event.stanza.attr.type == "error" then return stanza_to_session(event); end
	end
	module:hook("iq/full", error_to_session, 5); -- mod_iq delivers at 0

	--- Stanzas from a session ---

	local function client_hook_left(event, ok, handled)
		client_hooks = client_hooks - 1;
		if actions.waiting() then
			if client_hooks == 0 and room_hooks == 0 and not event.origin.destroyed then
				actions.drain();
			else
				actions.drain_soon();
			end
		end
		if not ok then
			module:log("error", "A stanza of a session was dropped: %s", handled);
			return true;
		end
		return handled;
	end

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

	local function client_answer(event, ok, answer)
		if not ok then
			fault("error", event, "the core failed");
			apologise(event);
			abandon(event.origin.minimix_account, jid_bare(event.stanza.attr.to));
			return true;
		elseif type(answer) == "string" then
			fault("debug", event, answer);
			apologise(event);
			return true;
		end
		local handled = carry_out(event, answer);
		report_failures();
		return handled;
	end

	local function client_answered(event, answer)
		if answer == nil or answer == true then return answer; end
		client_hooks = client_hooks + 1;
		return client_hook_left(event, pcall(client_answer, event, fetched(answer)));
	end

	-- A component and the host itself send as well, and have no session.
	local function session_id(origin)
		if origin.type ~= "c2s" or not origin.username then return nil; end
		return origin.minimix_id or sessions.id(origin);
	end

	local function client_stanza(event, joins)
		local origin, stanza = event.origin, event.stanza;
		local to, id = stanza.attr.to, session_id(origin);
		if to == nil or id == nil then return; end
		return client_answered(event, core.client_stanza(id, origin.minimix_account, to, joins, stanza));
	end

	local function client_message_or_iq(event)
		return client_stanza(event, false);
	end
	for _, kind in ipairs({ "message", "iq" }) do -- below mod_mam, mod_carbons and mod_mam again
		module:hook("pre-"..kind.."/full", client_message_or_iq, -2);
		module:hook("pre-"..kind.."/bare", client_message_or_iq, -2);
	end

	local function is_virtual_host(jid)
		local host = prosody.hosts[jid_host(jid)];
		return host ~= nil and host.type == "local";
	end

	local function client_presence(event)
		local stanza = event.stanza;
		local joins = stanza.attr.type == nil and stanza:get_child("x", xmlns_muc) ~= nil;
		if joins then
			if is_virtual_host(stanza.attr.to) then return; end -- there are no rooms
			if session_id(event.origin) then blocklist.know(event.origin); end
		end
		return client_stanza(event, joins);
	end
	module:hook("pre-presence/full", client_presence, -10); -- after mod_presence, which notes it as directed

	-- Without `to` it is for everybody; an `unavailable` comes here before mod_presence tells all rooms.
	local function client_presence_to_bare(event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.to then return client_presence(event); end
		local id = origin.minimix_id;
		if id and stanza.attr.type == "unavailable" and not origin.destroyed then
			told("the end of a presence", pcall(core.session_unavailable, id));
		end
	end
	module:hook("pre-presence/bare", client_presence_to_bare, -10);

	-- Room activity indicators (XEP-0437): a client that asks for them hides a room by leaving it.
	local function client_presence_to_host(event)
		local attr = event.stanza.attr;
		local gone = attr.type == "unavailable";
		if not gone and (attr.type or not event.stanza:get_child("rai", xmlns_rai)) then return; end
		local id = session_id(event.origin);
		if id == nil or attr.to == nil then return; end
		return client_answered(event, core.watches(id, event.origin.minimix_account, attr.to, not gone));
	end
	module:hook("pre-presence/host", client_presence_to_host, -10);

	-- mod_carbons would copy a private message to the sessions outside the room: those inside get it from us.
	local function carbons_should_copy(event)
		local session, to = event.session, event.stanza.attr.to;
		local id = session_id(session);
		if id == nil or to == nil or not to:find("/", 1, true) then return; end
		if core.occupies(session.minimix_account, to) then
			event.reason = "muc-pm";
			return false;
		end
	end
	module:hook("carbons-should-copy", carbons_should_copy, 1);

	--- What becomes of sessions ---

	local function tell(call, session)
		local id = session.minimix_id;
		if id then told("the state of a session", pcall(call, id)); end
	end

	module:hook("smacks-hibernation-start", function (event)
		tell(core.session_hibernated, event.origin);
	end);

	module:hook("smacks-hibernation-end", function (event)
		tell(core.session_resumed, event.resumed);
	end);

	module:hook("resource-unbind", function (event)
		tell(core.session_gone, event.session);
		if event.session.minimix_id then sessions.forget(event.session); end
	end, 1); -- before mod_presence at 0, whose unavailables look like leaves

	module:hook("delivery/failure", function (event)
		local session, stanza, attr = event.session, event.stanza, event.stanza.attr;
		if not session.username or not attr.from then return; end
		local account = session.username.."@"..session.host;
		return answers.told_about({ origin = session, stanza = stanza }, "a failed delivery", true, core.delivery_failed(
			session.minimix_id, account, attr.to or account, attr.from, stanza));
	end, -1); -- mod_smacks keeps chat messages at 0, if no session is left

	--- What becomes of connections to other servers ---

	local function connection_lost(domain)
		if domain then told("a lost connection", pcall(core.service_lost, domain)); end
	end

	module:hook("s2sout-destroyed", function (event) connection_lost(event.session.to_host); end);
	module:hook("s2sin-destroyed", function (event) connection_lost(event.session.from_host); end);

	--- The life of the module ---

	-- A session that joined before the module was loaded; contacts that got presence look the same.
	function hooks.already_in(session)
		local occupants = {};
		for jid in pairs(session.directed or {}) do
			if jid_resource(jid) and not is_virtual_host(jid) then table.insert(occupants, jid); end
		end
		table.sort(occupants);
		for _, occupant in ipairs(occupants) do
			told("a room joined before", pcall(core.already_in,
				sessions.id(session), session.full_jid, occupant));
		end
	end

	function hooks.avatar(account, hash)
		told("a new avatar", pcall(core.avatar, account, hash));
	end

	function hooks.account_gone(account)
		told("the end of an account", pcall(core.account_gone, account));
	end

	function hooks.configured(options)
		told("a change of the options", pcall(core.configured, options));
	end

	function hooks.hand_back()
		told("the handing back of all rooms", pcall(core.hand_back));
	end

	function hooks.shutdown()
		told("the end", pcall(core.shutdown));
	end

	return hooks;
end
