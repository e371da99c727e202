-- A server with the whole module and the real core, to which anything may happen.

local fake = require "support.prosody";
local meter = require "fuzz.meter";
local shapes = require "fuzz.shapes";

local async = require "util.async"; -- both are found by way of the fake server
local events = require "util.events";

local st, pick = fake.st, shapes.pick;
local host, xmlns_muc = "example.org", "http://jabber.org/protocol/muc";
local users = { "alice", "bob" };

-- So many instructions may a call run, and so many more for each node that comes in and each stanza that is sent.
local CALL, NODE, SENT = 5000, 1500, 2500;
-- The same in bytes.
local CALL_BYTES, NODE_BYTES, SENT_BYTES = 64000, 4000, 8000;

local world = {};
world.__index = world;

-- What sending does: nothing odd, an error, another hook, a wait, or the collector.
local moods = { "calm", "calm", "calm", "raises", "raises oddly", "enters", "waits", "collects", "fails" };

local odd_error = setmetatable({}, { __tostring = function () error("no text"); end });

function world:disturbed()
	local mood = self.mood;
	self.depth = self.depth + 1;
	if mood == "raises" then self.depth = self.depth - 1; error("a send that raises"); end
	if mood == "raises oddly" then self.depth = self.depth - 1; error(odd_error); end
	if mood == "enters" and self.depth < 4 then self:arrives(); end
	if mood == "collects" then collectgarbage("step", 100); end
	if mood == "waits" and self.depth == 1 then
		local wait, done = async.waiter();
		table.insert(self.waiting, done);
		self.depth = self.depth - 1;
		wait();
		return;
	end
	self.depth = self.depth - 1;
end

function world:connect(number)
	local session = fake.session(self.server, users[number % 2 + 1], "d"..number);
	session.log = function () end;
	function session.send()
		self.sent = self.sent + 1;
		self:disturbed();
		return self.mood ~= "fails";
	end
	self.sessions[number] = session;
	return session;
end

-- As Prosody does with those of a module that is unloaded.
function world:forget_hooks()
	self.server.hosts[host].events, self.server.events = events.new(), events.new();
	self.server.item_handlers = {};
end

function world:load(saved)
	self.module = fake.load(self.server, {}, saved);
	self.module.ready();
end

function world.new()
	local self = setmetatable({ sessions = {}, waiting = {}, mood = "calm", sent = 0, nodes = 0, depth = 0 }, world);
	self.server = fake.server();
	function self.server.send(stanza)
		self.sent = self.sent + 1;
		self.last_id = stanza.attr.id;
		self.last_from, self.last_to = stanza.attr.from, stanza.attr.to;
		self:disturbed();
	end
	self:load();
	for number = 1, 4 do self:connect(number); end
	return self;
end

-- Something comes that Prosody never hands out, or another module fails: an error is not ours then.
function world:note_unsound(is_sound)
	self.is_unsound = self.is_unsound or not is_sound;
end

local function fire(self, name, data)
	return self.server.hosts[host].events.fire_event(name, data);
end

local function kind_of(stanza)
	local to = type(stanza.attr) == "table" and rawget(stanza.attr, "to");
	if type(to) ~= "string" then return "/bare"; end
	return to:find("/", 1, true) and "/full" or to:find("@", 1, true) and "/bare" or "/host";
end

-- A stanza that is sound comes back as it went in.
local function fire_stanza(self, prefix, origin, stanza, is_sound)
	local name = rawget(stanza, "name");
	if type(name) ~= "string" then name = "message"; end
	local attr = stanza.attr;
	local to = is_sound and attr.to;
	fire(self, prefix..name..kind_of(stanza), { origin = origin, stanza = stanza });
	if is_sound and self.mood ~= "waits" and attr.to ~= to then error("given back for another address"); end
end

function world:arrives()
	local user = pick(users).."@"..host;
	local stanza, nodes, is_sound = meter.free(shapes.stanza, "from", math.random(5) == 1 and user.."/d"..math.random(4) or user);
	if is_sound and self.last_id and math.random(2) == 1 then
		stanza.attr.id, stanza.attr.from, stanza.attr.to = self.last_id, self.last_to, self.last_from;
	end
	self.nodes = self.nodes + nodes;
	self:note_unsound(is_sound);
	fire_stanza(self, "", self.server.hosts["rooms.example.org"], stanza, is_sound);
end

local function session_of(self) return self.sessions[math.random(4)]; end

local happens = {};

function happens.arrives(self) self:arrives(); end

function happens.sends(self)
	local session = session_of(self);
	local stanza, nodes, is_sound = meter.free(shapes.stanza, "to");
	self:note_unsound(is_sound);
	if type(stanza.attr) == "table" then rawset(stanza.attr, "from", session.full_jid); end
	self.nodes = self.nodes + nodes;
	fire_stanza(self, "pre-", session, stanza, is_sound);
end

function happens.joins(self)
	local session = session_of(self);
	local to = pick({ "lounge", "lounge", "den" }).."@rooms.example.org/alice";
	fake.client_sends(self.server, session, st.presence({ to = to, id = "j" }):tag("x", { xmlns = xmlns_muc }):up());
end

-- A good room answers the join that it was sent last.
function happens.answers(self)
	if type(self.last_to) ~= "string" then return; end
	local x = { xmlns = xmlns_muc.."#user" };
	local own = st.presence():tag("x", x)
		:tag("item", { affiliation = "none", role = "participant" }):up():tag("status", { code = "110" }):up():up();
	own.attr.from, own.attr.to, own.attr.id = self.last_to, self.last_from, self.last_id; -- odd, if they were
	fake.arrives(self.server, own);
	local subject = st.message({ type = "groupchat" }):tag("subject"):up();
	subject.attr.from, subject.attr.to = self.last_to:match("^[^/]+"), own.attr.to;
	fake.arrives(self.server, subject);
end

function happens.times_out(self)
	self.nodes = self.nodes + #self.module.timers;
	self.module:run_timers();
end

function happens.changes_mood(self) self.mood = pick(moods); end

function happens.goes_on(self)
	local done = table.remove(self.waiting, 1);
	if done then done(); end
end

function happens.reloads(self)
	if not self.module.save then return; end
	self.reloads = true;
	local saved = self.module.save();
	self.module.reloading = true;
	self.module.unload();
	self:forget_hooks();
	self:load(saved);
end

function happens.unloads(self)
	self.reloads = true;
	self.module.unload();
	self:forget_hooks();
	self:load();
end

function happens.ends(self)
	local number = math.random(4);
	fire(self, "resource-unbind", { session = self.sessions[number] });
	self.sessions[number].destroyed = true;
	self:connect(number);
end

function happens.sleeps(self) fire(self, "smacks-hibernation-start", { origin = session_of(self) }); end
function happens.wakes(self) fire(self, "smacks-hibernation-end", { origin = session_of(self), resumed = session_of(self) }); end

function happens.is_not_delivered(self)
	local stanza, nodes, is_sound = meter.free(shapes.stanza, "from", "alice@example.org/d1");
	self.nodes = self.nodes + nodes;
	self:note_unsound(is_sound);
	fire(self, "delivery/failure", { session = session_of(self), stanza = stanza });
end

function happens.collects() collectgarbage("collect"); end

-- A finalizer fires an event, whenever the collector comes to it.
function happens.leaves_garbage(self)
	setmetatable({}, { __gc = function () pcall(self.arrives, self); end });
end

function happens.loses_a_stream(self)
	local session = { direction = pick({ "outgoing", "incoming" }), from_host = host, to_host = "rooms.example.org", hosts = {} };
	fire(self, pick({ "s2sout-created", "s2sout-established", "s2sout-destroyed", "s2sin-destroyed" }),
		{ session = session, reason = pick({ false, "x" }) or nil });
end

function happens.has_another_hook(self)
	local host_events, kind = self.server.hosts[host].events, pick({ "message/full", "presence/full", "message/bare" });
	local function handler()
		host_events.remove_handler(kind, handler);
		self:note_unsound(not self.mood:find("^raises"));
		self:disturbed();
	end
	host_events.add_handler(kind, handler, pick({ 2000, 50, 0.1, -3 }));
end

function happens.reads_the_options(self) self.server.events.fire_event("config-reloaded"); end

function happens.deletes_an_account(self)
	self.server.events.fire_event("user-deleted", { username = pick(users), host = host });
end

world.kinds = {
	"arrives", "arrives", "arrives", "arrives", "arrives", "arrives", "sends", "sends", "sends", "sends", "sends", "sends",
	"joins", "joins", "answers", "answers", "answers", "times_out", "times_out", "times_out", "changes_mood", "goes_on",
	"reloads", "unloads", "ends", "sleeps", "wakes", "is_not_delivered", "collects", "leaves_garbage", "loses_a_stream",
	"has_another_hook", "reads_the_options", "deletes_an_account",
};

-- Does a step as Prosody does, in a coroutine that may be made to wait.
local function run(self, kind)
	local runner = async.runner(function () happens[kind](self); end);
	runner.log = nil;
	runner:run(true);
end

-- No step breaks the core, and none costs more than it pays for.
function world:step(kind, seed)
	math.randomseed(seed);
	self.sent, self.nodes, self.reloads, self.depth, self.is_unsound = 0, 0, false, 0, false;
	local before = #self.server.log;
	local instructions, kilobytes, ok, fault = meter.of(run, self, kind);
	for i = before + 1, #self.server.log do
		local line = self.server.log[i];
		if line:find("core failed", 1, true) then error("fault: "..line, 0); end
	end
	local is_changed = not ok and type(fault) == "string" and fault:find("another address", 1, true);
	if is_changed then error("fault: "..fault:match("[^\n]*"), 0); end
	if not ok and not self.is_unsound then error(("fault: %s raises %s"):format(kind, tostring(fault)), 0); end
	local rooms = self.reloads and 20 or 4; -- a reload reads all files of the wrapper
	local most = CALL * rooms + NODE * self.nodes + SENT * self.sent;
	local most_bytes = CALL_BYTES * rooms + NODE_BYTES * self.nodes + SENT_BYTES * self.sent;
	self.calls = (self.calls or 0) + 1;
	self.dearest = self.dearest or {};
	local percent = math.max(100 * instructions // most, math.floor(102400 * kilobytes / most_bytes));
	self.dearest[kind] = math.max(self.dearest[kind] or 0, percent);
	if instructions > most then
		error(("fault: %s, %d instructions of %d"):format(kind, instructions, most), 0);
	end
	if kilobytes * 1024 > most_bytes then
		error(("fault: %s, %.0f bytes of %d"):format(kind, kilobytes * 1024, most_bytes), 0);
	end
end

-- After all of it somebody joins a room, and is shown what is said there.
function world:check_goes_on()
	self.mood = "calm";
	for _ = 1, 3 do self.module:run_timers(); end
	local carol = fake.session(self.server, "carol", "desk");
	self.last_to = nil;
	fake.client_sends(self.server, carol, st.presence({ to = "fresh@rooms.example.org/carol", id = "j" })
		:tag("x", { xmlns = xmlns_muc }):up());
	self.module:run_timers();
	if self.last_to ~= "fresh@rooms.example.org/carol" then error("fault: a join does not go up", 0); end
	happens.answers(self);
	self.module:run_timers();
	local received = #carol.received;
	fake.arrives(self.server, st.message({ from = "fresh@rooms.example.org/bob", to = "carol@example.org", type = "groupchat" })
		:body("hi"));
	if #carol.received ~= received + 1 then error("fault: what is said is not shown", 0); end
end

return world;
