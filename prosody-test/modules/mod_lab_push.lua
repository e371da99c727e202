-- Test only. A push service (XEP-0357), whose nodes are JIDs: it sends them, as messages, the notifications it gets.

local st = require "prosody.util.stanza";

local xmlns_pubsub = "http://jabber.org/protocol/pubsub";

module:hook("iq-set/host/"..xmlns_pubsub..":pubsub", function (event)
	local origin, stanza = event.origin, event.stanza;
	local publish = stanza:get_child("pubsub", xmlns_pubsub):get_child("publish");
	if not publish then return; end
	origin.send(st.reply(stanza));
	module:send(st.message({ from = module.host, to = publish.attr.node }):add_child(st.clone(publish)));
	return true;
end);
