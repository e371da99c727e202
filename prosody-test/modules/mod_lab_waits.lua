-- Test only. Rooms that make whoever sends to them wait (util.async), as a hook does that asks another service.
--
-- The nick of who joins, or the first word of what is said, may be an order: `lab-wait` waits until somebody says
-- `lab-go-on`, `lab-never` for ever; `lab-raise` raises an error. A query for <held xmlns="urn:lab:waits"/> is answered as
-- soon as another one waits.

local async = require "prosody.util.async";
local st = require "prosody.util.stanza";
local jid_resource = require "prosody.util.jid".resource;

local before_everybody = 1000000;

local held, askers = 0, {};
local waiting = {};

local function tell_askers()
	while held > 0 and askers[1] do
		local event = table.remove(askers, 1);
		held = held - 1;
		event.origin.send(st.reply(event.stanza));
	end
end

module:hook("iq-get/host/urn:lab:waits:held", function (event)
	table.insert(askers, { origin = event.origin, stanza = st.clone(event.stanza) });
	tell_askers();
	return true;
end);

local function waiter()
	local wait, done = async.waiter();
	held = held + 1;
	tell_askers();
	return wait, done;
end

local orders = {};

orders["lab-wait"] = function ()
	local wait, done = waiter();
	table.insert(waiting, done);
	wait();
end

orders["lab-never"] = function ()
	waiter()();
end

orders["lab-raise"] = function ()
	error("the lab raises this on purpose");
end

orders["lab-go-on"] = function ()
	module:add_timer(0, function ()
		local released = waiting;
		waiting = {};
		for _, done in ipairs(released) do done(); end
	end);
end

local function obey(word)
	local order = word and orders[word:match("^%S+")];
	if order then order(); end
end

module:hook("muc-occupant-pre-join", function (event)
	obey(jid_resource(event.stanza.attr.to));
end, before_everybody);

module:hook("muc-occupant-groupchat", function (event)
	obey(event.stanza:get_child_text("body"));
end, before_everybody);
