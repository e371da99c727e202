-- Test only. A room service on strings: it sends what a story tells it to send, and shows the story what it got.
--
-- The children of <emit xmlns="urn:lab:puppet"/> in a message to a room are sent as they stand. Everything else that
-- comes for a room goes, wrapped in <got/>, to whoever last gave an order for it.

local st = require "prosody.util.stanza";
local jid_bare = require "prosody.util.jid".bare;

local xmlns = "urn:lab:puppet";
local controllers = {}; -- room JID -> full JID of who pulls the strings

-- Within <emit/> the children name their namespace, which in a stream of its own is the default one.
local function without_client_namespace(stanza)
	if stanza.attr.xmlns == "jabber:client" then stanza.attr.xmlns = nil; end
	for _, child in ipairs(stanza.tags) do without_client_namespace(child); end
	return stanza;
end

local function obey(event, emit)
	controllers[jid_bare(event.stanza.attr.to)] = event.stanza.attr.from;
	for _, child in ipairs(emit.tags) do
		module:send(without_client_namespace(st.clone(child)));
	end
	return true;
end

local function report(event)
	local stanza = event.stanza;
	local controller = controllers[jid_bare(stanza.attr.to)];
	if controller then
		local got = st.clone(stanza);
		got.attr.xmlns = "jabber:client";
		module:send(st.message({ to = controller, from = jid_bare(stanza.attr.to) })
			:tag("got", { xmlns = xmlns }):add_child(got));
	end
	return true;
end

for _, kind in ipairs({ "message", "presence", "iq" }) do
	for _, form in ipairs({ "bare", "full" }) do
		module:hook(kind .. "/" .. form, function (event)
			local emit = event.stanza:get_child("emit", xmlns);
			if emit then return obey(event, emit); end
			return report(event);
		end, 100);
	end
end
