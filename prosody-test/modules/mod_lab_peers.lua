-- Test only. Connects to the lab's other servers without DNS, and tells when the server is up.
--
--	lab_peers = { ["far.lab"] = { "127.1.2.3", 5269 } }

local basic_resolver = require "prosody.net.resolvers.basic";

local peers = module:get_option("lab_peers", {});

module:hook("s2sout-pre-connect", function (event)
	local peer = peers[event.session.to_host];
	if peer then
		event.resolver = basic_resolver.new(peer[1], peer[2], "tcp");
	end
end);

if module:get_host_type() == "local" and module:get_option_boolean("lab_announce", false) then
	module:hook_global("server-started", function ()
		module:log("info", "The lab's server is up");
	end);
end
