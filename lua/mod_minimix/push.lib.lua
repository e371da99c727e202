-- Which push services are told that something waits for a device (XEP-0357). mod_cloud_notify tells them; the core decides
-- of what. A device without a session is told here, what waits for one that hibernates mod_cloud_notify finds by itself.
--
-- | event | priority | why there |
-- |-------|----------|-----------|
-- | cloud_notify/push | 2 | before modules that change or send it: mod_cloud_notify_encrypted is at 1 |
-- | cloud_notify/registration | -1 | after modules that may refuse it |
-- | iq-set/self/urn:xmpp:push:0:disable | 1 | before mod_cloud_notify answers |
-- | module-loaded, module-unloaded | 0 | |
-- | item-published of a PEP service | 0 | pep.lib.lua |

local async = require "util.async";
local cache = require "util.cache";
local new_id = require "util.id".medium;
local jid_bare = require "util.jid".bare;
local jid_node = require "util.jid".node;
local jid_prep = require "util.jid".prep;
local st = require "util.stanza";

local usernames_of = module:require "usernames";

local xmlns_push = "urn:xmpp:push:0";
local xmlns_displayed = "urn:xmpp:mds:displayed:0";
local xmlns_stanza_id = "urn:xmpp:sid:0";

local most_told = 1000; -- of how many it is known that their services have been told

return function (core, answers, actions)
	local push = {};
	local host = prosody.hosts[module.host];
	local fire_event = host.events.fire_event;
	local tell = answers.tell;

	--- Who has a push service ---

	local store = module:open_store("cloud_notify");

	local function account_of(username)
		return username.."@"..module.host;
	end

	local function list_registered()
		local accounts, fault = usernames_of(store);
		if accounts == nil then
			module:log("error", "It can't be read who has a push service: %s", fault or "no reason given");
			return {};
		end
		for i, username in ipairs(accounts) do accounts[i] = account_of(username); end
		return accounts;
	end

	local function tell_registered()
		async.runner(function ()
			tell("who has a push service", core.pushed, host.modules.cloud_notify and list_registered() or {});
		end):run(true);
	end

	local function on_module(event)
		if event.module == "cloud_notify" then tell_registered(); end
	end
	module:hook("module-loaded", on_module);
	module:hook("module-unloaded", on_module);

	module:hook("cloud_notify/registration", function (event)
		tell("a push service", core.push_changed, account_of(event.origin.username), true);
	end, -1);

	module:hook("iq-set/self/"..xmlns_push..":disable", function (event)
		local username = event.origin.username;
		module:add_timer(0, function ()
			async.runner(function ()
				if next(store:get(username) or {}) == nil then
					tell("the end of a push service", core.push_changed, account_of(username), false);
				end
			end):run(true);
		end);
	end, 1);

	--- What it is told ---

	local notified; -- the stanza about which they are told

	-- mod_cloud_notify writes into the stanza.
	function actions.perform.notify(action, event)
		local stanza = action.stanza or st.clone(event.stanza);
		local username = jid_node(stanza.attr.to);
		notified = stanza;
		local ok, fault;
		if host.sessions[username] then -- those of devices without a session
			ok, fault = pcall(fire_event, "archive-message-added", {
				origin = host, stanza = stanza, for_user = username, id = new_id();
			});
		else
			ok, fault = pcall(fire_event, "message/bare/groupchat", { origin = host, stanza = stanza });
		end
		notified = nil;
		if not ok then module:log("error", "A module failed on a notification: %s", fault); end
	end

	local told = cache.new(most_told);

	local function is_told(push_info, account, print)
		local key = table.concat({ account, print, push_info.jid or "", push_info.node or "" }, "\n");
		if told:get(key) then return true; end
		told:set(key, true);
	end

	module:hook("cloud_notify/push", function (event)
		local stanza = event.original_stanza;
		if stanza == nil or stanza == notified or stanza.attr.from == nil then return; end
		local account = account_of(event.username);
		local print = core.push_ruling(account, stanza.attr.from, stanza);
		if print == nil then return; end
		if print == false or is_told(event.push_info, account, print) then
			event.reason = "mod_minimix";
			return true;
		end
	end, 2);

	--- What is read already ---

	local pep = module:require "pep"(function (_, username)
		local function on_published(event)
			local room = jid_bare(jid_prep(event.id or event.item.attr.id));
			local displayed = event.item:get_child("displayed", xmlns_displayed);
			local stanza_id = displayed and displayed:get_child("stanza-id", xmlns_stanza_id);
			if room and stanza_id and stanza_id.attr.id then
				tell("what has been displayed", core.displayed, account_of(username), room, stanza_id.attr.id);
			end
		end
		return { ["item-published/"..xmlns_displayed] = on_published };
	end);

	function push.begin()
		if host.modules.cloud_notify then tell_registered(); end
	end

	function push.close()
		pep.close();
	end

	return push;
end
