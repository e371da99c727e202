-- Test only. A real-time block list beside mod_pubsub: who sends a message to this host puts an account on it.
--
--	<message to="rtbl.lab"><ban xmlns="urn:lab:rtbl" account="eve@far.lab"/></message>
--
--	lab_rtbl = { "guarded.lab" } -- where mod_muc_rtbl is to be loaded, which subscribes at once, and so comes later

local st = require "prosody.util.stanza";
local modulemanager = require "prosody.core.modulemanager";
local sha256 = require "prosody.util.hashes".sha256;

local xmlns = "urn:lab:rtbl";
local node = "muc_bans_sha256";

local pubsub = module:depends("pubsub");

function module.ready()
	assert(pubsub.service:create(node, true));
	for host in module:get_option_set("lab_rtbl", {}) do
		assert(modulemanager.load(host, "muc_rtbl"));
	end
end

module:hook("message/host", function (event)
	local ban = event.stanza:get_child("ban", xmlns);
	if not ban then return; end
	local hash = sha256(ban.attr.account, true);
	pubsub.service:publish(node, true, hash, st.stanza("item", { xmlns = "http://jabber.org/protocol/pubsub", id = hash })
		:tag("report", { xmlns = "urn:xmpp:reporting:1" }):reset());
	return true;
end);
