-- Test only. A component that answers lab_delay seconds late: whatever comes in waits that long, in order.

local st = require "prosody.util.stanza";
local queue = require "prosody.util.queue";

local delay = module:get_option_number("lab_delay", 0.05);
local before_everybody = 1000000;

local waiting = queue.new(100000);
local now_due; -- the event that is fired again and must not wait twice

local function fire_oldest()
	local entry = waiting:pop();
	now_due = entry.event;
	module:fire_event(entry.name, entry.event);
	now_due = nil;
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
