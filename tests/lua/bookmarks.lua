-- What the core is told of bookmarks (XEP-0402), by PEP services as Prosody has them.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local new_service = require "util.pubsub".new;

local st = fake.st;
local alice, logged = scenes.alice, scenes.logged;
local node, nick_node = "urn:xmpp:bookmarks:1", "http://jabber.org/protocol/nick";

-- A server on which alice has a PEP service, and these records; `told` is what the core is told, in order.
local function new_scene(records)
	local server = fake.server();
	server.stores.data.minimix = records;
	stub.reset();
	local scene = { server = server, told = {} };
	local function note(what)
		return function (account, bookmarks)
			if bookmarks and bookmarks.room then bookmarks = { bookmarks }; end
			for _, bookmark in ipairs(bookmarks or {}) do
				table.insert(scene.told, table.concat({
					what, account, bookmark.room, bookmark.autojoin or "-", bookmark.nick or "-", bookmark.password or "-";
				}, " "));
			end
			if not bookmarks or not bookmarks[1] then
				table.insert(scene.told, what.." "..account..(bookmarks and " none" or ""));
			end
		end;
	end
	scene.service = new_service({
		pep_username = "alice", autocreate_on_publish = true, node_defaults = { max_items = 9, persist_items = true };
		normalize_jid = function (address) return address; end;
	});
	scene.item = { service = scene.service, jid = alice };
	server.hosts["example.org"].modules.pep = { get_pep_service = function (username)
		return username == "alice" and scene.service or new_service({});
	end };
	scene.module = fake.load(server);
	stub.says.bookmark_changed, stub.says.bookmarks_purged = note("changed"), note("purged");
	stub.says.logged_in = note("logged in");
	fake.add_item(server, "pep-service", scene.item);
	return scene;
end

local function bookmark(autojoin, nick, password)
	local item = st.stanza("item", { xmlns = "http://jabber.org/protocol/pubsub" })
		:tag("conference", { xmlns = node, autojoin = autojoin });
	if nick then item:text_tag("nick", nick); end
	if password then item:text_tag("password", password); end
	return item:reset();
end

local function publish(scene, id, item)
	check.equal(scene.service:publish(node, true, id, item), true);
end

local function check_told(scene, ...)
	check.equal(table.concat(scene.told, "\n"), table.concat({ ... }, "\n"));
	scene.told = {};
end

local function logs_in(scene, username)
	fake.fires(scene.server, "resource-bind", { session = { username = username or "alice", host = "example.org" } });
end

check.test("b5: a bookmark is told as it says, its room and its nick prepared", function ()
	local scene = new_scene();
	publish(scene, "Lounge@Rooms.example.org", bookmark("true", "Ａｌｉｃｅ", "secret"));
	publish(scene, "den@rooms.example.org", bookmark("0"));
	publish(scene, "den@rooms.example.org", st.stanza("item"):tag("else"):reset());
	check_told(scene, "changed "..alice.." lounge@rooms.example.org true Alice secret",
		"changed "..alice.." den@rooms.example.org 0 - -", "changed "..alice.." den@rooms.example.org - - -");
end);

check.test("b5: a bookmark that is published as it was is told again", function ()
	local scene = new_scene();
	publish(scene, scenes.room, bookmark("1"));
	publish(scene, scenes.room, bookmark("1"));
	check.equal(#scene.told, 2);
end);

check.test("f5: what is no room is passed over, with one line", function ()
	local scene = new_scene();
	for _, id in ipairs({ "rooms.example.org", "a b@rooms.example.org", "lounge@rooms.example.org/alice", "current" }) do
		publish(scene, id, bookmark("true"));
	end
	check_told(scene);
	check.equal(logged(scene.server, "A bookmark is of no room"), 4);
	scene.service:retract(node, true, "current", true);
	check_told(scene);
end);

check.test("b5: what is taken away is told: one, all, and the node", function ()
	local scene = new_scene();
	publish(scene, scenes.room, bookmark("true"));
	scene.service:publish("other", true, scenes.room, bookmark("true"));
	scene.told = {};
	scene.service:retract("other", true, scenes.room, true);
	scene.service:purge("other", true, true);
	scene.service:delete("other", true);
	check_told(scene);
	scene.service:retract(node, true, scenes.room, true);
	scene.service:purge(node, true, true);
	scene.service:delete(node, true);
	check_told(scene, "changed "..alice.." "..scenes.room.." - - -", "purged "..alice, "purged "..alice);
end);

check.test("decision 5: a bookmark without a nick has that of the account", function ()
	local scene = new_scene();
	scene.service:publish(nick_node, true, "current", st.stanza("item"):text_tag("nick", "Ally", { xmlns = nick_node }));
	publish(scene, scenes.room, bookmark("true"));
	check_told(scene, "changed "..alice.." "..scenes.room.." true Ally -");
end);

-- The same with what it says of notifications.
local function with_rules(item, xmlns, ...)
	local notify = item.tags[1]:tag("extensions"):tag("notify", { xmlns = xmlns });
	for _, rule in ipairs({ ... }) do notify:tag(rule.name, rule.attr):up(); end
	item.tags[1]:reset();
	return item;
end

check.test("u5, b6: what a bookmark says of notifications is told before the rest", function ()
	local scene = new_scene();
	function stub.says.rules_read(account, rules)
		local list = {};
		for of_room, rule in pairs(rules) do table.insert(list, of_room.." "..rule); end
		table.sort(list);
		table.insert(scene.told, "rules "..account.." "..table.concat(list, ", "));
	end
	local of_phones = { name = "never", attr = { ["identity-category"] = "client", ["identity-type"] = "phone" } };
	local xmlns = "urn:xmpp:notification-settings:";
	publish(scene, scenes.room, with_rules(bookmark("true"), xmlns.."1", of_phones, { name = "advanced" }, { name = "on-mention" }));
	publish(scene, "den@rooms.example.org", with_rules(bookmark("0"), xmlns.."0", { name = "always" }));
	publish(scene, "pub@rooms.example.org", with_rules(bookmark("0"), xmlns.."1", of_phones));
	check_told(scene, "rules "..alice.." "..scenes.room.." on-mention", "changed "..alice.." "..scenes.room.." true - -",
		"rules "..alice.." den@rooms.example.org always", "changed "..alice.." den@rooms.example.org 0 - -",
		"changed "..alice.." pub@rooms.example.org 0 - -");
	logs_in(scene);
	check.equal(scene.told[1], "rules "..alice.." den@rooms.example.org always, "..scenes.room.." on-mention");
end);

check.test("b8: at a login all bookmarks are told, at the start none", function ()
	local scene = new_scene();
	publish(scene, scenes.room, bookmark("true", "ally"));
	publish(scene, "den@rooms.example.org", bookmark("false"));
	scene.told = {};
	scene.module.ready();
	check_told(scene);
	logs_in(scene);
	check_told(scene, "logged in "..alice.." den@rooms.example.org false - -",
		"logged in "..alice.." "..scenes.room.." true ally -");
	logs_in(scene, "bob");
	check_told(scene, "logged in bob@example.org none");
	scene.server.hosts["example.org"].modules.pep = nil;
	logs_in(scene);
	check_told(scene, "logged in "..alice);
end);

check.test("b8: bookmarks that can't be read are none that are gone", function ()
	local scene = new_scene();
	publish(scene, scenes.room, bookmark("true"));
	scene.told = {};
	function scene.service.get_items() return false, "internal-server-error"; end
	logs_in(scene);
	check_told(scene, "logged in "..alice);
	check.equal(logged(scene.server, "Bookmarks can't be read"), 1);
end);

check.test("b8: what is stored of the account comes first", function ()
	local scene = new_scene({ alice = { [scenes.room] = "text" } });
	local first;
	stub.says.loaded = function () first = first or "loaded"; end;
	stub.says.bookmark_changed = function () first = first or "bookmark"; end;
	publish(scene, scenes.room, bookmark("true"));
	check.equal(first, "loaded");
end);

check.test("l8: an account that is enabled again is told as one that logs in", function ()
	local scene = new_scene();
	publish(scene, scenes.room, bookmark("true"));
	scene.told = {};
	scene.server.events.fire_event("user-enabled", { username = "alice", host = "elsewhere.example" });
	check_told(scene);
	scene.server.events.fire_event("user-enabled", { username = "alice", host = "example.org" });
	check_told(scene, "logged in "..alice.." "..scenes.room.." true - -");
end);

check.test("a service that goes, and an unloaded module, leave no handler behind", function ()
	for _, goes in ipairs({ "service", "module" }) do
		local scene = new_scene();
		if goes == "service" then
			fake.remove_item(scene.server, "pep-service", scene.item);
		else
			scene.module.unload();
		end
		publish(scene, scenes.room, bookmark("true"));
		scene.service:purge(node, true, true);
		check_told(scene);
	end
end);

check.done();
