-- One function per action of the core.
--
-- Sessions are written to at once, and the stanza in hand goes to its room at once. What the core has made for a room
-- waits until no hook of ours is on the stack (stack.lib.lua).

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local jid_node = require "util.jid".node;

local xmlns_carbons = "urn:xmpp:carbons:2";
local xmlns_forward = "urn:xmpp:forward:0";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local xmlns_hints = "urn:xmpp:hints";
local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

local answer_timeout = 120; -- the core does not wait for so long, but takes a late answer

return function (core, sessions, stack, storage)
	local by_id = sessions.by_id;
	local host = prosody.hosts[module.host];
	local fire_event = host.events.fire_event;
	local perform = {}; -- by the action's kind: function (action, event)
	local actions = { perform = perform };

	-- Deliveries that failed since they were last taken: session number, to, from, and so on.
	local failures = {};

	function actions.take_failures()
		if failures[1] == nil then return nil; end
		local taken = failures;
		failures = {};
		return taken;
	end

	local function note_failure(id, attr)
		table.insert(failures, id);
		table.insert(failures, attr.to);
		table.insert(failures, attr.from);
	end

	-- An error is one of somebody else's filter, about this stanza.
	local function log_fault(stanza, fault)
		module:log("error", "Sending a %s to a session failed: %s", stanza.name, stack.text_of(fault));
	end

	local function send_to_session(id, session, stanza)
		local attr = stanza.attr;
		attr.to = session.full_jid;
		local ok, sent = pcall(session.send, stanza);
		if not ok then
			log_fault(stanza, sent);
		elseif sent == false then
			note_failure(id, attr);
		end
	end

	-- Other modules are shown what is for one session alone when it gets it, as a stock host shows it. If ours below them
	-- (room_hooks.lib.lua) does not get it, it is dealt with, unless the core `insists` on it.
	local function show_to_session(id, session, stanza, origin, insists)
		local attr = stanza.attr;
		if core.blocks_sender(session.minimix_account, attr.from) then return send_to_session(id, session, stanza); end
		attr.to = session.full_jid;
		local event = { origin = origin or host, stanza = stanza, minimix_gets = session };
		local ok, fault = pcall(fire_event, stanza.name.."/full", event);
		if not ok then log_fault(stanza, fault); end
		if event.minimix_sent == false then note_failure(id, attr); end
		if event.minimix_sent == nil and insists then send_to_session(id, session, stanza); end
	end

	local function send_on(stanza, attr, receivers, first, last)
		for i = first, last do
			receivers.at = i;
			local session = by_id[receivers[i]];
			if session then
				attr.to = session.full_jid;
				if session.send(stanza) == false then note_failure(receivers[i], attr); end
			end
		end
	end

	-- Sends the stanza in hand to the first so many of the receivers, whatever becomes of one of them, and says whether
	-- there are failures to be taken. A room sends one stanza object to all its occupants, so it gets it back as it was.
	function actions.relay(stanza, attr, receivers, count)
		local to, done = attr.to, 0;
		receivers.at = 0;
		local ok, fault = pcall(send_on, stanza, attr, receivers, 1, count);
		while not ok and done < count do
			log_fault(stanza, fault);
			done = math.max(receivers.at, done + 1); -- a call may fail before it comes to the next
			ok, fault = pcall(send_on, stanza, attr, receivers, done + 1, count);
		end
		attr.to = to;
		return failures[1];
	end

	-- A stanza under the id of an action: true keeps its own, false removes it. Whoever was given the stanza before may
	-- keep it, so another id is for a copy.
	local function under_id(stanza, id)
		if id == true then return stanza; end
		local copy = st.clone(stanza);
		copy.attr.id = id or nil;
		return copy;
	end

	function perform.relay(action, event)
		local stanza = event.stanza;
		local to = stanza.attr.to;
		for i, id in ipairs(action.sessions) do
			local session = by_id[id];
			local shown = session and under_id(stanza, action.ids[i]);
			if session and event.minimix_alone then
				show_to_session(id, session, shown, event.origin);
			elseif session then
				send_to_session(id, session, shown);
			end
		end
		stanza.attr.to = to;
	end

	function perform.deliver(action, event)
		local id, stanza = action.session, action.stanza;
		local session = by_id[id];
		if session and action.shown and not event.minimix_direct then
			show_to_session(id, session, stanza, event.origin, action.insists);
		elseif session then
			send_to_session(id, session, stanza);
		end
	end

	function perform.reply(action, event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.type == "error" or stanza.attr.type == "result" or origin.destroyed then return; end
		origin.send(st.error_reply(stanza, action.type, action.condition, action.text, action.by));
	end

	-- Its sender may go on with the stanza (mod_presence does, through all that it had sent presence to), and a module of
	-- the room may keep what it gets: each has its own.
	function perform.forward(action, event)
		local copy = st.clone(event.stanza);
		local attr = copy.attr;
		local account, room = jid_bare(attr.from), jid_bare(attr.to);
		attr.from = account;
		if action.id ~= true then attr.id = action.id or nil; end
		local flight = stack.begin_send(account, room);
		if flight then
			stack.send(copy);
			return stack.end_send(flight);
		end
		if not stack.enqueue(account, room, copy) then
			perform.reply({ type = "wait", condition = "resource-constraint", by = room }, event);
		end
	end

	function perform.send(action)
		local stanza = action.stanza;
		local account, room = jid_bare(stanza.attr.from), jid_bare(stanza.attr.to);
		if not stack.enqueue(account, room, stanza) then
			module:log("error", "Too much waits for a room: a %s is lost", stanza.name);
		end
	end

	function perform.send_as(action)
		action.stanza.attr.from = action.from;
		perform.send(action);
	end

	function perform.store(action)
		storage.write(jid_node(action.account), action.rooms, action.at_once);
	end

	-- Its answer, or the error instead of it, comes to `actions.tell_answer`.
	function perform.ask_service(action)
		local domain, id = action.domain, action.id;
		local query = st.iq({ type = "get", from = module.host, to = domain, id = id }):query(xmlns_disco_info);
		module:send_iq(query, nil, answer_timeout):next(function (event)
			local is_error = event.stanza.attr.type == "error"; -- of our own server, which had no space for the query
			local _, condition = event.stanza:get_error();
			actions.tell_answer(domain, id, is_error and condition or nil);
		end, function (fault)
			actions.tell_answer(domain, id, fault.condition);
		end);
	end

	function perform.drop(action)
		stack.drop(action.account, action.room);
	end

	local function is_private(stanza)
		return stanza:get_child("private", xmlns_carbons) or stanza:get_child("no-copy", xmlns_hints);
	end

	local function sent_carbon(stanza)
		local copy = st.clone(stanza);
		copy.attr.xmlns = "jabber:client";
		if not stanza:get_child("x", xmlns_muc_user) then
			copy:reset():tag("x", { xmlns = xmlns_muc_user }):reset();
		end
		return st.message({ from = jid_bare(stanza.attr.from), type = stanza.attr.type })
			:tag("sent", { xmlns = xmlns_carbons })
				:tag("forwarded", { xmlns = xmlns_forward })
					:add_child(copy):reset();
	end

	function perform.mirror(action, event)
		local stanza = action.stanza or event.stanza;
		if is_private(stanza) then return; end
		local carbon;
		for _, id in ipairs(action.sessions) do
			local session = by_id[id];
			if session and session.want_carbons then
				carbon = carbon or sent_carbon(stanza);
				send_to_session(id, session, st.clone(carbon));
			end
		end
	end

	function perform.store_offline(action, event)
		local stanza = action.stanza or st.clone(event.stanza);
		local username = jid_node(stanza.attr.to);
		stanza.attr.to = jid_bare(stanza.attr.to); -- it may have been for a session that is gone
		local stored = module:fire_event("message/offline/handle", {
			origin = event.origin or prosody.hosts[module.host], stanza = stanza, username = username;
		});
		if not stored then
			module:log("warn", "A private message could not be stored");
			module:log("debug", "It came from %s for %s", jid_bare(stanza.attr.from), username);
		end
	end

	return actions;
end
