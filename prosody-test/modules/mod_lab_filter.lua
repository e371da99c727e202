-- Test only. A filter of the account's host, which does with a stanza what stands in its text.
--
--	lab:drop     ends it
--	lab:raise    fails
--	lab:bounce   answers it with an error
--	lab:change   changes it in place, and lets it go on
--	lab:wait     lets it go on after a second

local st = require "prosody.util.stanza";
local async = require "prosody.util.async";

local xmlns = "urn:lab:filter";
local as_many_filters = 200; -- above mod_blocklist, which is at 100
local wait_s = 1;

local function texts(stanza, all)
	for _, child in ipairs(stanza) do
		if type(child) == "string" then table.insert(all, child); else texts(child, all); end
	end
	return all;
end

local orders = {};

function orders.drop()
	return true;
end

function orders.raise()
	error("the lab raises this on purpose", 0);
end

function orders.bounce(event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
		origin.send(st.error_reply(stanza, "cancel", "policy-violation", "Not in the lab"));
	end
	return true;
end

-- A room of this server gives the same stanza to everybody.
function orders.change(event)
	local stanza = event.stanza;
	if not stanza:get_child("changed", xmlns) then
		stanza:reset():tag("changed", { xmlns = xmlns }):reset();
	end
end

function orders.wait()
	local wait, done = async.waiter();
	module:add_timer(wait_s, done);
	wait();
end

local function filter(event)
	local text = table.concat(texts(event.stanza, {}), " ");
	local order = text:find("lab:", 1, true) and orders[text:match("lab:(%a+)")];
	if order then return order(event); end
end

for _, kind in ipairs({ "message", "presence", "iq" }) do
	for _, form in ipairs({ "bare", "full" }) do
		module:hook(kind.."/"..form, filter, as_many_filters);
	end
end
