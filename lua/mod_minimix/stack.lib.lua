-- Which hooks of ours are on the stack, and what waits for rooms until none is.
--
-- A local room answers within a send, and must not be joined while it goes through its occupants. So what the core has
-- made for a room waits while a hook of ours is on the stack. Prosody runs stanzas in coroutines, and a hook of a room
-- may make its coroutine wait (util.async), perhaps for ever. Therefore:
--
-- - The depth of the stack belongs to a coroutine.
-- - There is a queue for each account and room. While a send has not returned, its queue is in flight: what comes for
--   that room waits behind it, and all other queues go on.
-- - Queues are emptied in coroutines of our own, so that a room which waits holds up nothing else.
-- - After a minute, and at a reload, an unload or the stop, what is behind a send that has not returned goes as well.

local async = require "util.async";

local running, pcall = coroutine.running, pcall;

local patience_s = 60;
local max_cost = 16 * 1024 * 1024; -- of what waits behind one send that has not returned, in bytes of memory

-- About how many bytes a stanza occupies, or text in one.
local function cost_of(node)
	if type(node) == "string" then return 40 + #node; end
	local cost = 500;
	for _, value in pairs(node.attr) do cost = cost + 40 + #value; end
	for _, child in ipairs(node) do cost = cost + cost_of(child); end
	return cost;
end

local function push(line, item)
	line.last = line.last + 1;
	line[line.last] = item;
end

-- Gives the first item and its number; nothing if there is none.
local function pop(line)
	local first = line.first;
	if first > line.last then
		line.first, line.last = 1, 0;
		return nil;
	end
	local item = line[first];
	line[first] = nil;
	line.first = first + 1;
	return item, first;
end

local function is_empty(line)
	return line.first > line.last;
end

local stack = {};

--- Hooks on the stack ---

-- How many there are in the coroutine that was the last to enter or leave one, and in those that went on waiting
-- within one. They may end there, or wait for ever.
local thread, depth = nil, 0;
local waiting = setmetatable({}, { __mode = "k" });

local function switch_to(other)
	if depth > 0 then waiting[thread] = depth; end
	thread, depth = other, waiting[other] or 0;
	if depth > 0 then waiting[other] = nil; end
end

-- A hook of ours begins. Gives what it has to leave with.
local function enter()
	local this = running();
	if this ~= thread then switch_to(this); end
	depth = depth + 1;
	return this;
end
stack.enter = enter;

local function leave(this)
	if this ~= thread then switch_to(this); end
	depth = depth - 1;
end
stack.leave = leave;

-- What an error says that somebody else's code may have raised; its own words may raise another.
function stack.text_of(fault)
	local ok, text = pcall(tostring, fault);
	return ok and text or "an error without words";
end

-- Does the work of a hook, and gives what pcall does.
function stack.protect(work, ...)
	local this = enter();
	local ok, result = pcall(work, ...);
	leave(this);
	return ok, result;
end

local function current_depth()
	local this = running();
	if this ~= thread then switch_to(this); end
	return depth;
end

--- Queues ---

local queues = {}; -- by account and room: those that have something, or are in flight
local ready = { first = 1, last = 0 }; -- those that have something and may go

local function key_of(account, room)
	return account.." "..room;
end

local function queue_of(account, room)
	local key = key_of(account, room);
	local queue = queues[key];
	if queue == nil then
		queue = { key = key, account = account, first = 1, last = 0, dropped = 0, cost = 0 };
		queues[key] = queue;
	end
	return queue;
end

local function make_ready(queue)
	if queue.is_ready or queue.flight or is_empty(queue) then return; end
	queue.is_ready = true;
	push(ready, queue);
end

local function end_flight(queue)
	if queue.timer then queue.timer:stop(); end
	queue.flight, queue.timer = nil, nil;
	make_ready(queue);
	if not queue.is_ready then queues[queue.key] = nil; end
end

-- Has what the account says to a room forgotten. Sessions speak for themselves.
function stack.drop(account, room)
	local queue = queues[key_of(account, room)];
	if queue then queue.dropped = queue.last; end
end

local function is_dropped(queue, number, stanza)
	return number <= queue.dropped and stanza.attr.from == queue.account;
end

local origin; -- whom a room of this server answers

-- Sets it, see room_hooks.lib.lua.
function stack.send_as(as)
	origin = as;
end

-- Sends a stanza to a room, whatever comes of that.
local function send(stanza)
	local ok, fault = pcall(module.send, module, stanza, origin);
	if not ok then
		module:log("error", "Sending a %s to a room failed: %s", stanza.name, stack.text_of(fault));
	end
end
stack.send = send;

-- Begins a flight with what waits.
local function begin_flight(queue)
	local flight = running();
	queue.flight = flight;
	local stanza, number = pop(queue);
	while stanza do
		if not is_dropped(queue, number, stanza) then send(stanza); end
		if queue.flight ~= flight then return; end -- it was given up, and somebody else goes on
		stanza, number = pop(queue);
	end
	queue.dropped, queue.cost = 0, 0;
end

-- Begins a send to a room, after all that waits for it. Gives what it has to end with; nothing if it has to wait,
-- because the hook that wants it stands within another one, or an earlier send has not returned.
function stack.begin_send(account, room)
	local queue = queue_of(account, room);
	if queue.flight or current_depth() > 1 then return nil; end
	begin_flight(queue);
	return queue;
end

function stack.end_send(queue)
	if queue.flight == running() then end_flight(queue); end
end

local function send_ready()
	local queue = pop(ready);
	while queue do
		queue.is_ready = false;
		if not queue.flight then
			begin_flight(queue);
			stack.end_send(queue);
		end
		queue = pop(ready);
	end
end

local runner; -- another one as soon as something makes it wait

-- Does some work in a coroutine that may be made to wait.
local function run(work)
	if runner == nil or runner.state ~= "ready" then runner = async.runner(); end
	runner:run(work);
end

-- The same, but at once if this coroutine is such a one.
function stack.run(work)
	if async.ready() then return work(); end
	run(work);
end

-- Sends all that may go.
function stack.flush()
	while not is_empty(ready) do run(send_ready); end
end

local function give_up_flight(queue)
	module:log("warn", "A room has not yet taken in what an account sent to it; what came after it goes as well");
	end_flight(queue);
end

-- The last chance of what waits.
function stack.flush_everything()
	stack.flush();
	local keys = {};
	for key, queue in pairs(queues) do
		if queue.flight then table.insert(keys, key); end
	end
	table.sort(keys);
	for _, key in ipairs(keys) do give_up_flight(queues[key]); end
	stack.flush();
end

local is_soon = false;
local function flush_soon()
	if is_soon then return; end
	is_soon = true;
	module:add_timer(0, function ()
		is_soon = false;
		stack.flush();
	end);
end

-- Something has happened: what it has made wait goes soon, or at once if it `may` and no hook of ours is on the stack.
function stack.settle(may)
	if is_empty(ready) then return; end
	if may and current_depth() == 0 then
		stack.flush();
	else
		flush_soon();
	end
end

-- Has a stanza wait. Gives false if too much does.
function stack.enqueue(account, room, stanza)
	local queue = queue_of(account, room);
	if queue.flight then
		local cost = queue.cost + cost_of(stanza);
		if cost > max_cost then return false; end
		queue.cost = cost;
	end
	push(queue, stanza);
	if not queue.flight then
		make_ready(queue);
	elseif queue.timer == nil then
		queue.timer = module:add_timer(patience_s, function ()
			queue.timer = nil;
			give_up_flight(queue);
			stack.flush();
		end);
	end
	return true;
end

return stack;
