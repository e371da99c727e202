-- Whom the accounts block (XEP-0191), as mod_blocklist stores it. That module drops or bounces what a blocked
-- occupant sends before anybody else sees it, and a bounce would throw the account out of the room.

local async = require "util.async";
local jid_bare = require "util.jid".bare;

return function (tell, known_accounts)
	local store = module:open_store("blocklist");
	local read = {}; -- accounts whose lists the core has been told
	local blocking = {}; -- those that block anybody
	local blocklist = {};

	for _, account in ipairs(known_accounts) do
		read[account], blocking[account] = true, true;
	end

	-- Whom an account blocks; the core is going to be told.
	function blocklist.read(username, account)
		local jids = {};
		for jid in pairs(store:get(username) or {}) do
			if type(jid) == "string" then table.insert(jids, jid); end -- the key false holds data of the list
		end
		table.sort(jids);
		read[account] = true;
		blocking[account] = jids[1] ~= nil or nil;
		return jids;
	end

	local function tell_core(username, account)
		local blocked = blocking[account];
		local jids = blocklist.read(username, account);
		if jids[1] or blocked then tell(account, jids); end
	end

	-- Before the account of a session joins its first room.
	function blocklist.know(session)
		local account = session.minimix_account;
		if account and not read[account] then tell_core(session.username, account); end
	end

	local changing = {}; -- accounts of which the core is told soon

	-- The core is told even if the list was not read before: the account may be in rooms since before a reload. It is told
	-- once, however many changes come in one write: each time means to read the whole list.
	local function changed(event)
		local session = event.origin;
		local username = session.username;
		if not username then return; end
		local account = username.."@"..session.host;
		if changing[account] then return; end
		changing[account] = true;
		module:add_timer(0, function ()
			changing[account] = nil;
			async.runner(function () tell_core(username, account); end):run(true);
		end);
	end
	module:hook("iq-set/self/urn:xmpp:blocking:block", changed, 1); -- stored by mod_blocklist at -1
	module:hook("iq-set/self/urn:xmpp:blocking:unblock", changed, 1);

	module:hook_global("user-deleted", function (event)
		local account = jid_bare(event.username.."@"..event.host);
		read[account], blocking[account] = nil, nil;
	end);

	return blocklist;
end
