-- What rooms send.
--
-- | event          | priority | why there |
-- |----------------|----------|-----------|
-- | presence/bare  | 5        | mod_presence shows it to every session at 0 |
-- | message/bare   | 5        | groupchat: mod_mam clones it at 0 |
-- | message/bare   | 4        | results of a room's archive: mod_mam archives at 0 |
-- | message/bare   | -0.25    | private messages: archived by mod_mam at 0, not yet copied by mod_carbons at -0.5 |
-- | iq/bare        | 5        | mod_iq answers it at 0 |
-- | presence/full  | 5        | mod_presence delivers at 0 |
-- | message/full   | 5        | mod_mam archives at 0 |
-- | iq/full        | 5        | mod_iq delivers at 0 |
-- | presence/bare, message/bare | 101 | only while somebody blocks: mod_blocklist drops or bounces at 100 |

local jid_bare = require "util.jid".bare;

local type, pcall = type, pcall;

local xmlns_old_delay = "jabber:x:delay";

return function (core, actions, answers, stack, blocklist)
	local relay, enter, leave = actions.relay, stack.enter, stack.leave;

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
	local function swallow(stanza, level, why)
		module:log(level, "A %s of type %s was not taken in: %s", stanza.name, stanza.attr.type, why);
		local ok, fault = pcall(relay_untaken, stanza);
		if not ok then module:log("error", "It reaches no session: %s", fault); end
	end

	--- What it can ---

	local function carry_out(event, ok, answer)
		local stanza = event.stanza;
		local handled = true;
		if not ok then
			swallow(stanza, "error", "the core failed");
			-- After a panic what the core knows of that room is worth nothing.
			answers.tell("leaving a room after a fault", core.abandoned, jid_bare(stanza.attr.to), jid_bare(stanza.attr.from));
		elseif type(answer) == "string" then
			swallow(stanza, "debug", answer);
		else
			handled = answers.carry_out(event, answer);
		end
		answers.report_failures();
		return handled;
	end

	local function carry_out_report(event)
		local ok, handled = stack.protect(carry_out, event, answers.fetch_report(false));
		stack.settle(false);
		if ok then return handled; end
		module:log("error", "A stanza of a room was dropped: %s", handled);
		return true;
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

	--- To the account; a session's stanza to its own account has no address, and the core looks at none such ---

	local room_stanza = core.room_stanza;

	local function room_iq(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		return look_at(event, room_stanza, attr.to, attr.from, stanza);
	end
	module:hook("iq/bare", room_iq, 5);

	local function room_presence(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local presence_type = attr.type;
		if presence_type == nil or presence_type == "unavailable" or presence_type == "error" then
			return look_at(event, room_stanza, attr.to, attr.from, stanza);
		end
	end
	module:hook("presence/bare", room_presence, 5);

	local function room_groupchat(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		if attr.type == "groupchat" then return look_at(event, room_stanza, attr.to, attr.from, stanza); end
	end
	module:hook("message/bare", room_groupchat, 5);

	local function archive_result(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		if attr.type == nil or attr.type == "normal" then
			return look_at(event, core.archive_result, attr.to, attr.from, stanza);
		end
	end
	module:hook("message/bare", archive_result, 4);

	local function room_message(event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		if attr.type ~= "groupchat" then return look_at(event, room_stanza, attr.to, attr.from, stanza); end
	end
	module:hook("message/bare", room_message, -0.25);

	-- The core follows the room, whomever the account blocks there; mod_blocklist would bounce an invitation by them.
	blocklist.look_with(function (event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		if stanza.name == "message" and attr.type ~= "groupchat" then
			local handled = look_at(event, core.blocked_invitation, attr.to, attr.from, stanza);
			if handled ~= nil then return handled; end
		end
		return look_at(event, core.blocked_stanza, attr.to, attr.from, stanza);
	end);

	--- To a session that is in a room by itself; most are not ---

	local function stanza_to_session(event)
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
end
