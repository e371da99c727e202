-- Which rooms the accounts bookmark (XEP-0402): each change, and the whole list at a login. Older kinds of bookmarks
-- reach the same node through mod_bookmarks.

local async = require "util.async";
local jid = require "util.jid";
local resourceprep = require "util.encodings".stringprep.resourceprep;

local xmlns_bookmarks = "urn:xmpp:bookmarks:1";
local xmlns_nick = "http://jabber.org/protocol/nick";
local xmlns_notifications = { "urn:xmpp:notification-settings:1", "urn:xmpp:notification-settings:0" };

-- What a bookmark says of notifications (XEP-0492): what holds for devices of every kind.
local function rule_of(conference)
	local extensions = conference:get_child("extensions");
	for _, xmlns in ipairs(extensions and xmlns_notifications or {}) do
		local notify = extensions:get_child("notify", xmlns);
		for _, rule in ipairs(notify and notify.tags or {}) do
			local attr = rule.attr;
			if attr["identity-category"] == nil and attr["identity-type"] == nil and rule.name ~= "advanced" then
				return rule.name;
			end
		end
	end
end

-- `tell` has `changed (username, bookmark)`, `purged (username)`, `logged_in (username, bookmarks)`, and
-- `rules (username, rules)`, the rules by their rooms.
return function (tell)
	local bookmarks = {};
	local published = "item-published/"..xmlns_bookmarks;

	-- The room of an item, as the core compares it. Item ids are as a client wrote them.
	local function room_of(id)
		local node, host, resource = jid.prepped_split(id);
		if node and not resource then return node.."@"..host; end
		module:log("debug", "A bookmark is of no room: %s", id);
	end

	-- Whom the account wants to be called (XEP-0172).
	local function nick_of_account(service)
		local ok, _, item = service:get_last_item(xmlns_nick, true);
		return ok and item and item:get_child_text("nick", xmlns_nick) or nil;
	end

	-- What an item says; nothing if it is of no room.
	local function read(service, id, item)
		local room = room_of(id);
		if not room then return nil; end
		local conference = item:get_child("conference", xmlns_bookmarks);
		if not conference then return { room = room }; end
		local nick = conference:get_child_text("nick") or nick_of_account(service);
		return {
			room = room;
			autojoin = conference.attr.autojoin;
			nick = nick and resourceprep(nick) or nil;
			password = conference:get_child_text("password");
			rule = rule_of(conference);
		};
	end

	--- Changes ---

	local function handlers_for(service, username)
		local function on_published(event)
			local bookmark = read(service, event.id or event.item.attr.id, event.item);
			if not bookmark then return; end
			if bookmark.rule then tell.rules(username, { [bookmark.room] = bookmark.rule }); end
			tell.changed(username, bookmark);
		end
		local function on_retracted(event)
			if event.node ~= xmlns_bookmarks then return; end
			local room = room_of(event.id);
			if room then tell.changed(username, { room = room }); end
		end
		local function on_purged(event)
			if event.node == xmlns_bookmarks then tell.purged(username); end
		end
		return {
			[published] = on_published, ["item-retracted"] = on_retracted;
			["node-purged"] = on_purged, ["node-deleted"] = on_purged;
		};
	end

	local watching = module:require "pep"(handlers_for);

	--- Logins ---

	-- All bookmarks of an account; nothing if they can't be read.
	local function read_all(username)
		local pep = prosody.hosts[module.host].modules.pep;
		if not pep then return nil; end
		local service = pep.get_pep_service(username);
		local ok, items = service:get_items(xmlns_bookmarks, true);
		if not ok and items ~= "item-not-found" then
			module:log("warn", "Bookmarks can't be read: %s", items);
			return nil;
		end
		local list = {};
		for _, id in ipairs(ok and items or {}) do
			table.insert(list, read(service, id, items[id]));
		end
		return list;
	end

	local function tell_rules(username, list)
		local rules = {};
		for _, bookmark in ipairs(list) do rules[bookmark.room] = bookmark.rule; end
		if next(rules) then tell.rules(username, rules); end
	end

	local function logs_in(username)
		async.runner(function ()
			local list = read_all(username);
			tell_rules(username, list or {});
			tell.logged_in(username, list);
		end):run(true);
	end

	-- Below mod_bookmarks at 0, which takes over older kinds then.
	module:hook("resource-bind", function (event)
		if event.session.username then logs_in(event.session.username); end
	end, -1);

	-- Its stored rooms were forgotten when it was disabled.
	module:hook_global("user-enabled", function (event)
		if event.host == module.host then logs_in(event.username); end
	end);

	function bookmarks.close()
		watching.close();
	end

	return bookmarks;
end
