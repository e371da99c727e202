-- Test only. A component that answers lab_delay seconds late: whatever comes in waits that long, in order.

local st = require "prosody.util.stanza";
local queue = require "prosody.util.queue";

local delay = module:get_option_number("lab_delay", 0.05);
local before_everybody = 1000000;

local waiting = queue.new(100000);
local now_due; -- the event that is fired again and must not wait twice

-- As core.stanza_router answers what no handler wanted.
local function refuse(origin, stanza)
	if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
		origin.send(st.error_reply(stanza, "cancel", "service-unavailable"));
	end
end

local function fire_oldest()
	local entry = waiting:pop();
	local event = entry.event;
	now_due = event;
	local handled = module:fire_event(entry.name, event);
	now_due = nil;
	if handled == nil then refuse(event.origin, event.stanza); end
end

for _, kind in ipairs({ "message", "presence", "iq" }) do
	for _, form in ipairs({ "bare", "full", "host" }) do
		local name = kind .. "/" .. form;
		module:hook(name, function (event)
			if event == now_due then return; end
			local stanza = st.clone(event.stanza);
			waiting:push({ name = name, event = { origin = event.origin, stanza = stanza } });
			module:add_timer(delay, fire_oldest);
			return true;
		end, before_everybody);
	end
end
