-- Whose push services are told of what (XEP-0357), with mod_cloud_notify as far as it is spoken to.

local check = require "support.check";
local fake = require "support.prosody";
local scenes = require "support.scenes";
local stub = require "support.stub_core";

local new_service = require "util.pubsub".new;

local st = fake.st;
local room, alice = scenes.room, scenes.alice;
local groupchat, answer, logged = scenes.groupchat, scenes.answer, scenes.logged;

-- A scene in which the events of mod_cloud_notify are noted.
local function new_scene()
	local scene = scenes.new();
	scene.fired = {};
	for _, name in ipairs({ "archive-message-added", "message/bare/groupchat" }) do
		scene.server.hosts["example.org"].events.add_handler(name, function (event)
			table.insert(scene.fired, { name = name, event = event });
			event.stanza._push_notify = {};
			if scene.when_fired then scene.when_fired(event); end
		end);
	end
	return scene;
end

local function has_cloud_notify(server, is_there)
	server.hosts["example.org"].modules.cloud_notify = is_there and {} or nil;
	fake.fires(server, is_there and "module-loaded" or "module-unloaded", { module = "cloud_notify", host = "example.org" });
end

local function asks(scene, stanza, node)
	local event = { original_stanza = stanza, username = "alice", push_info = { jid = "push.example", node = node } };
	return fake.fires(scene.server, "cloud_notify/push", event), event.reason;
end

check.test("u2: while somebody is online, the services of devices without a session are told", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer({ kind = "notify" });
	local stanza = groupchat("tea?");
	check.equal(fake.arrives(scene.server, stanza), true);
	check.equal(#scene.fired, 1);
	local fired = scene.fired[1];
	check.equal(fired.name, "archive-message-added");
	check.equal(fired.event.for_user, "alice");
	check.equal(#fired.event.id > 0, true);
	local attr = fired.event.stanza.attr;
	check.list({ attr.from, attr.to, attr.type, attr.id }, { room.."/bob", alice, "groupchat", "m1" });
	check.equal(fired.event.stanza:get_child_text("body"), "tea?");
	check.equal(stanza._push_notify, nil, "it is a copy");
end);

check.test("u1: while nobody is online, all services are told", function ()
	local scene = new_scene();
	scene.server.hosts["example.org"].sessions = {};
	stub.says.room_stanza = answer({ kind = "notify" });
	local stanza = groupchat();
	fake.arrives(scene.server, stanza);
	check.equal(#scene.fired, 1);
	check.equal(scene.fired[1].name, "message/bare/groupchat");
	check.equal(scene.fired[1].event.stanza.attr.to, alice);
	check.equal(stanza._push_notify, nil, "it is a copy");
end);

check.test("u7: they are told of what the core has made", function ()
	local scene = new_scene();
	local notice = st.message({ from = room, to = alice, id = "n1" }):body("You have been banned from this room.");
	stub.says.room_stanza = answer({ kind = "notify", stanza = notice });
	fake.arrives(scene.server, groupchat());
	check.equal(tostring(scene.fired[1].event.stanza), tostring(notice));
end);

check.test("u1: of what the core has notified it is not asked again", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer({ kind = "notify" });
	stub.says.push_ruling = false;
	local is_blocked = "not asked";
	function scene.when_fired(event) is_blocked = asks(scene, event.stanza, "phone"); end
	fake.arrives(scene.server, groupchat());
	check.equal(is_blocked, nil);
	check.equal(asks(scene, scene.fired[1].event.stanza, "phone"), true, "it is again, later");
end);

check.test("u1: a module that fails on a notification stops nothing else", function ()
	local scene = new_scene();
	stub.says.room_stanza = answer({ kind = "notify" }, { kind = "relay", sessions = { 1 }, ids = { true } });
	function scene.when_fired() error("somebody's fault"); end
	check.equal(fake.arrives(scene.server, groupchat()), true);
	check.equal(#scene.phone.received, 1);
	check.equal(logged(scene.server, "A module failed on a notification"), 1);
	stub.says.push_ruling = false;
	check.equal(asks(scene, scene.fired[1].event.stanza, "phone"), true, "it is over");
end);

check.test("u3: what waits is pushed once for each service, if the core says so", function ()
	local scene = new_scene();
	stub.says.push_ruling = 17;
	check.equal(asks(scene, groupchat(), "phone"), nil);
	check.equal(stub.calls[1], "push_ruling "..alice.." "..room.."/bob");
	check.equal(asks(scene, groupchat(), "phone"), true);
	check.equal(asks(scene, groupchat(), "tablet"), nil);
	stub.says.push_ruling = 18;
	check.equal(asks(scene, groupchat(), "phone"), nil);
	stub.says.push_ruling = false;
	local is_blocked, reason = asks(scene, groupchat(), "phone");
	check.equal(is_blocked, true);
	check.equal(reason, "mod_minimix");
end);

check.test("r1: what is of no room is pushed as it always was", function ()
	local scene = new_scene();
	stub.says.push_ruling = nil;
	for _ = 1, 2 do check.equal(asks(scene, groupchat(), "phone"), nil); end
	check.equal(asks(scene, nil, "phone"), nil);
	check.equal(asks(scene, st.message({ to = alice }), "phone"), nil);
end);

-- What the core was told of who has a push service.
local function new_told(modules, registered)
	local server = fake.server();
	server.hosts["example.org"].modules = modules;
	server.stores.data.cloud_notify = registered;
	stub.reset();
	local told = {};
	function stub.says.pushed(accounts) table.insert(told, "all: "..table.concat(accounts, " ")); end
	function stub.says.push_changed(account, is_pushed) table.insert(told, account.." "..tostring(is_pushed)); end
	local module = fake.load(server);
	module.ready();
	return server, told, module;
end

check.test("u1: who has a push service is known from the start, if mod_cloud_notify is there", function ()
	local registered = { bob = { x = {} }, alice = { x = {} } };
	local server, told = new_told({}, registered);
	has_cloud_notify(server, true);
	has_cloud_notify(server, false);
	fake.fires(server, "module-loaded", { module = "other", host = "example.org" });
	check.list(told, { "all: alice@example.org bob@example.org", "all: " });
	local _, told_at_once = new_told({ cloud_notify = {} }, registered);
	check.list(told_at_once, { "all: alice@example.org bob@example.org" });
end);

check.test("u1: a service comes and goes", function ()
	local server, told, module = new_told({ cloud_notify = {} }, {});
	local function disable()
		local origin = { username = "alice", host = "example.org" };
		check.equal(fake.fires(server, "iq-set/self/urn:xmpp:push:0:disable", { origin = origin, stanza = st.stanza("iq") }), nil);
		module:run_timers();
	end
	check.equal(fake.fires(server, "cloud_notify/registration", { origin = { username = "alice" } }), nil);
	server.stores.data.cloud_notify.alice = { tablet = {} };
	disable();
	server.stores.data.cloud_notify.alice = nil;
	disable();
	check.list(told, { "all: ", alice.." true", alice.." false" });
end);

check.test("a9: what a device has displayed is told", function ()
	local node = "urn:xmpp:mds:displayed:0";
	local server = fake.server();
	stub.reset();
	local told = {};
	function stub.says.displayed(...) table.insert(told, table.concat({ ... }, " ")); end
	local service = new_service({
		pep_username = "alice", autocreate_on_publish = true, node_defaults = { max_items = 9, persist_items = true };
		normalize_jid = function (address) return address; end;
	});
	local module = fake.load(server);
	fake.add_item(server, "pep-service", { service = service, jid = alice });
	local function publish(id, stanza_id)
		local item = st.stanza("item", { xmlns = "http://jabber.org/protocol/pubsub" }):tag("displayed", { xmlns = node });
		if stanza_id then item:tag("stanza-id", { xmlns = "urn:xmpp:sid:0", by = id, id = stanza_id }):up(); end
		service:publish(node, true, id, item:reset());
	end
	publish("Lounge@Rooms.example.org", "s1");
	publish(room, nil);
	publish("@", "s1");
	check.list(told, { alice.." "..room.." s1" });
	module.unload();
	publish(room, "s2");
	check.equal(#told, 1);
end);

check.done();
