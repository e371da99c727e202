-- What rooms send.
--
-- It is taken in hand above all filters, because they take a room that speaks to a bare JID for a stranger. Other modules
-- are shown it once, as a stock host would: as `*/full`, for the session that stands for the account. Where such a
-- session's own delivery stands, the core takes it in.
--
-- | event          | priority | why there |
-- |----------------|----------|-----------|
-- | presence/bare, message/bare, iq/bare | 1000 | above all filters: mod_anti_spam's is at 500 |
-- | presence/full, iq/full | 0.05 | mod_presence and mod_iq deliver at 0; mod_firewall filters at 0.1 |
-- | message/full   | -0.25    | archived by mod_mam at 0, not yet copied by mod_carbons at -0.5; mod_message delivers at -1 |
-- | presence/full, message/full, iq/full | 5 | for sessions that are in by themselves: mod_track_muc_joins looks at 1 |
--
-- Marks on an event: `minimix` (an account) on what is shown so, `minimix_gets` (a session) on what is shown because
-- that session gets it, `minimix_alone` on what is taken in unseen, `minimix_direct` on what nobody is to be shown.


local type, pcall = type, pcall;

local xmlns_old_delay = "jabber:x:delay";

local above_filters = 1000; -- the highest known one is at 500
local absent = -1; -- a session that is not there, see src/lua/stanzas.rs

return function (core, sessions, actions, answers, stack)
	local room_hooks = {};
	local relay, enter, leave = actions.relay, stack.enter, stack.leave;
	local by_id, room_stanza = sessions.by_id, core.room_stanza;
	local host = prosody.hosts[module.host];
	local fire_event, get_handlers = host.events.fire_event, host.events.get_handlers;

	--- What the core can't take in ---

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

	-- Nobody else shall deal with it, or a bounce would throw the account out.
	local function swallow(event, level, why)
		local stanza = event.stanza;
		module:log(level, "A %s of type %s was not taken in: %s", stanza.name, stanza.attr.type, why);
		local ok, fault = pcall(relay_untaken, stanza);
		if not ok then module:log("error", "It reaches no session: %s", stack.text_of(fault)); end
	end

	--- What it can ---

	local function carry_out_report(event)
		local attr = event.stanza.attr;
		return answers.carry_out_stanza(event, false, swallow, attr.to, attr.from, false);
	end

	-- Where the core says to whom a stanza is to be relayed: one table for each relay that has not returned.
	local unused, unused_count = {}, 0;

	-- Lets the core look at a stanza of a room, by that function. Most are to be relayed, and nothing else.
	local function look_at(event, look, account, from, stanza)
		local receivers = unused[unused_count];
		if receivers == nil then
			receivers = {};
			unused_count = unused_count + 1;
			unused[unused_count] = receivers;
		end
		local count = look(account, from, stanza, receivers);
		if count == nil or count == true then return count; end
		if count == false then return carry_out_report(event); end
		unused[unused_count] = nil;
		unused_count = unused_count - 1;
		local thread = enter();
		local failed = relay(stanza, stanza.attr, receivers, count);
		leave(thread);
		unused_count = unused_count + 1;
		unused[unused_count] = receivers;
		if failed then answers.report_failures(); end
		return true;
	end

	--- To a session that is in a room by itself; most are not ---

	local function stanza_to_session(event)
		if event.minimix or event.minimix_gets then return; end
		local stanza = event.stanza;
		local attr = stanza.attr;
		local session = attr.to and prosody.full_sessions[attr.to];
		local account = session and session.minimix_account;
		if account == nil then return; end
		return look_at(event, core.stanza_to_session, account, attr.from, stanza);
	end
	module:hook("presence/full", stanza_to_session, 5);
	module:hook("message/full", stanza_to_session, 5);

	local function error_to_session(event)
		if event.stanza.attr.type == "error" then return stanza_to_session(event); end
	end
	module:hook("iq/full", error_to_session, 5);

	--- Who else would be shown what comes for a session ---

	-- Modules that nearly every host has. mod_blocklist looks for whom the account blocks, whom the core knows. mod_mam archives
	-- no groupchat, and removes forged stanza-ids from it, as the core does.
	local known_modules = { "mod_blocklist.lua", "mod_mam.lua" };

	local function is_harmless(handler)
		if handler == stanza_to_session then return true; end
		local source = debug.getinfo(handler, "S").source;
		for _, name in ipairs(known_modules) do
			if source:sub(-#name) == name then return true; end
		end
		return false;
	end

	local function has_others(handlers, ours)
		for _, handler in ipairs(handlers) do
			if handler == ours then return false; end
			if not is_harmless(handler) then return true; end
		end
		return true;
	end

	-- Gives a function that says whether anybody else gets such an event before ours. Prosody makes a new list of handlers
	-- after a change, so this is decided once for each.
	local function watched(name, ours)
		local known, is_watched;
		return function ()
			local handlers = get_handlers(name);
			if handlers ~= known then known, is_watched = handlers, has_others(handlers, ours); end
			return is_watched;
		end
	end

	--- To the account; a session's stanza to its own account has no address, and the core looks at none such ---

	-- The core takes it in, and other modules are shown what each session gets of it.
	local function take_alone(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local answer = room_stanza(attr.to, attr.from, stanza); -- without a table for receivers: a relay is a report
		if answer ~= false then return answer; end
		event.minimix_alone = not event.minimix_direct;
		local handled = carry_out_report(event);
		event.minimix_alone = nil;
		return handled;
	end

	-- A filter that answers a question does so for the account: the room does not know the session.
	local function origin_for_account(origin, account)
		local function send(reply)
			reply.attr.from = account;
			return origin.send(reply);
		end
		return setmetatable({ send = send }, { __index = origin, __newindex = origin });
	end

	local function log_failure(stanza, fault)
		module:log("error", "A module failed on a %s of a room: %s", stanza.name, stack.text_of(fault));
	end

	-- Gives a function that shows a stanza of that kind to all modules as one for the session that stands for the account.
	local function showing(kind, shown_for)
		local name, is_iq = kind.."/full", kind == "iq";
		return function (event)
			local stanza = event.stanza;
			local attr = stanza.attr;
			local account = attr.to;
			local number = shown_for(account, attr.from, attr.type, stanza);
			if number == nil then return nil; end
			local session = by_id[number];
			local full = session and session.full_jid;
			if number == absent then full = core.last_stand_in(account, attr.from); end
			if not full then return take_alone(event); end
			local origin = event.origin;
			if is_iq then event.origin = origin_for_account(origin, account); end
			event.minimix = account;
			attr.to = full;
			local ok, fault = pcall(fire_event, name, event);
			attr.to = account;
			local handled = event.minimix ~= false;
			event.minimix, event.stanza, event.origin = false, stanza, origin;
			if not ok then log_failure(stanza, fault); end
			if handled then return true; end
		end
	end
	local show_presence = showing("presence", core.presence_shown_for);
	local show_message = showing("message", core.message_shown_for);

	-- What a module has made wait until then has nowhere to go on, and Prosody would bounce it.
	local is_closed = false;

	-- No filter has ended it: the core takes in what is for the account, a session gets what is its own.
	local function take(event)
		local account = event.minimix;
		if account then
			local stanza = event.stanza;
			local attr = stanza.attr;
			local full = attr.to;
			attr.to = account;
			if look_at(event, room_stanza, account, attr.from, stanza) == nil and not is_closed then
				event.minimix = false; -- it goes on as it came
			end
			attr.to = full;
			return true;
		end
		local session = event.minimix_gets;
		if session then
			event.minimix_sent = session.send(event.stanza) ~= false;
			return true;
		end
	end

	module:hook("presence/full", take, 0.05);
	module:hook("iq/full", take, 0.05);
	module:hook("message/full", take, -0.25);

	-- If nobody would be shown it, the second event is spared.

	local is_presence_watched = watched("presence/full", take);
	local is_groupchat_watched = watched("message/full", take);

	module:hook("presence/bare", function (event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local of_type = attr.type;
		if (of_type == nil or of_type == "unavailable") and not is_presence_watched() then
			return look_at(event, room_stanza, attr.to, attr.from, stanza);
		end
		return show_presence(event);
	end, above_filters);

	module:hook("message/bare", function (event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		if attr.type == "groupchat" and not is_groupchat_watched() then
			return look_at(event, room_stanza, attr.to, attr.from, stanza);
		end
		return show_message(event);
	end, above_filters);

	module:hook("iq/bare", showing("iq", core.iq_shown_for), above_filters);

	-- A room of this server refuses a stanza without a detour, and so shows that to nobody. Gives what it answers in the
	-- place of that origin of a stanza.
	function room_hooks.stand_in_for(origin)
		local function send(reply)
			local event = { origin = host, stanza = reply, minimix_direct = true };
			if take_alone(event) == nil then return origin.send(reply); end
			return true;
		end
		return setmetatable({ send = send }, { __index = origin, __newindex = origin });
	end
	stack.send_as(room_hooks.stand_in_for(host));

	function room_hooks.close()
		is_closed = true;
	end

	return room_hooks;
end
