-- Reads what an account sees of the log of a room for its sessions that join: the newest message first, until the core has
-- enough.

local async = require "util.async";
local jid_node = require "util.jid".node;

local told_at_once = 60; -- messages, before the core is asked whether it wants more

return function (core, log, newest, actions, answers)
	local function tell(call, action, ...)
		answers.tell("the log of a room", call, action.account, action.room, action.id, ...);
	end

	local function read(action)
		local count, share = 0, log.sharing();
		local since_s = action.since_ms and action.since_ms / 1000;
		for found in newest(jid_node(action.account), action.room, since_s, told_at_once, share) do
			tell(core.logged, action, found.id, found.at_ms, found.said_ms, found.stanza);
			count = count + 1;
			if count % told_at_once == 0 then
				tell(core.log_pauses, action);
				if not core.reads_log(action.account, action.room, action.id) then return; end
				share();
			end
		end
		tell(core.log_ends, action);
	end

	local function read_or_say(action)
		local ok, fault = true, nil;
		if log.is_on then ok, fault = pcall(read, action); end
		if ok and log.is_on then return; end
		if not ok then
			module:log("error", "The log of a room can't be read: %s", type(fault) == "table" and fault.condition or fault);
		end
		tell(core.log_fails, action);
	end

	-- Nobody is held up by it, the hook in which it is ordered least of all.
	function actions.perform.read_log(action)
		module:add_timer(0, function ()
			async.runner(read_or_say):run(action);
		end);
	end
end
