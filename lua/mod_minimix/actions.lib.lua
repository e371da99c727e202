-- One function per action of the core, and the queue of what must wait.
--
-- Sessions are written to at once. What the core says to a room waits in a queue, because a local room answers
-- within the send and must not be joined while it goes through its occupants; hooks.lib.lua says when that is.

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local jid_node = require "util.jid".node;

local xmlns_carbons = "urn:xmpp:carbons:2";
local xmlns_forward = "urn:xmpp:forward:0";
local xmlns_hints = "urn:xmpp:hints";
local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

return function (sessions)
	local by_id = sessions.by_id;
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

	local function send_to_session(id, session, stanza)
		local attr = stanza.attr;
		attr.to = session.full_jid;
		local ok, sent = pcall(session.send, stanza);
		if not ok then
			module:log("error", "Sending a %s to a session failed: %s", stanza.name, sent);
		end
		if not ok or sent == false then note_failure(id, attr); end
	end

	local at = 0; -- which of the receivers is being sent to

	local function send_on(stanza, attr, receivers, first, last)
		for i = first, last do
			at = i;
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
		local to, outer, done = attr.to, at, 0;
		at = 0;
		local ok, fault = pcall(send_on, stanza, attr, receivers, 1, count);
		while not ok and done < count do
			done = math.max(at, done + 1); -- a call may fail before it comes to the next
			module:log("error", "Sending a %s to a session failed: %s", stanza.name, fault);
			note_failure(receivers[done], attr);
			ok, fault = pcall(send_on, stanza, attr, receivers, done + 1, count);
		end
		attr.to, at = to, outer;
		return failures[1];
	end

	-- An id in an action: true keeps that of the stanza, false removes it.
	local function with_id(original, id)
		if id == true then return original; end
		return id or nil;
	end

	function perform.relay(action, event)
		local stanza = event.stanza;
		local attr = stanza.attr;
		local to, original = attr.to, attr.id;
		for i, id in ipairs(action.sessions) do
			local session = by_id[id];
			attr.id = with_id(original, action.ids[i]);
			if session then send_to_session(id, session, stanza); end
		end
		attr.to, attr.id = to, original;
	end

	function perform.deliver(action)
		local session = by_id[action.session];
		if session then send_to_session(action.session, session, action.stanza); end
	end

	function perform.reply(action, event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.type == "error" or stanza.attr.type == "result" or origin.destroyed then return; end
		origin.send(st.error_reply(stanza, action.type, action.condition, action.text, action.by));
	end

	local queue, draining = {}, false;

	local function enqueue(stanza)
		table.insert(queue, stanza);
	end

	function actions.waiting()
		return queue[1] ~= nil;
	end

	local function send(stanza)
		local ok, fault = pcall(module.send, module, stanza);
		if not ok then
			module:log("error", "Sending a %s to a room failed: %s", stanza.name, fault);
		end
	end

	function actions.drain()
		if draining then return; end
		draining = true;
		while queue[1] do
			send(table.remove(queue, 1));
		end
		draining = false;
	end

	local timer_set = false;
	function actions.drain_soon()
		if timer_set then return; end
		timer_set = true;
		module:add_timer(0, function ()
			timer_set = false;
			actions.drain();
		end);
	end

	-- Its sender may go on with the stanza (mod_presence does, through all that it had sent presence to), so it
	-- gets it back as it was.
	function perform.forward(action, event)
		local stanza = event.stanza;
		local waits = actions.in_room_hook() or draining;
		if waits then
			stanza = st.clone(stanza);
		else
			actions.drain();
		end
		local attr = stanza.attr;
		local from, to, id = attr.from, attr.to, attr.id;
		attr.from, attr.id = jid_bare(from), with_id(id, action.id);
		if waits then return enqueue(stanza); end
		send(stanza);
		attr.from, attr.to, attr.id = from, to, id;
	end

	function perform.send(action)
		enqueue(action.stanza);
	end

	function perform.send_as(action)
		action.stanza.attr.from = action.from;
		enqueue(action.stanza);
	end

	function perform.drop(action)
		for i = #queue, 1, -1 do
			local attr = queue[i].attr;
			if attr.from == action.account and jid_bare(attr.to) == action.room then
				table.remove(queue, i);
			end
		end
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
				send_to_session(id, session, carbon);
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
