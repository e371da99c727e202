-- What becomes of a call of the core: its answer is carried out, or its fault is logged.
--
-- An answer is nothing (not ours), true (dealt with), a number (relay to so many receivers) or false: the core has
-- a report, a table (all else) or a string (it can't read the stanza). src/lua/answer.rs has the details.

local jid_bare = require "util.jid".bare;

local type, pcall = type, pcall;

return function (core, actions)
	local answers = {};
	local no_stanza = {}; -- the event of what is no stanza
	local wake_timer;

	local function arm(delay)
		if wake_timer then wake_timer:stop(); end
		wake_timer = module:add_timer(delay, function ()
			wake_timer = nil;
			answers.wake();
		end);
	end

	local function carry_out_report(event, report)
		for i = 1, report.log and #report.log or 0, 2 do
			module:log(report.log[i], "%s", report.log[i + 1]);
		end
		if report.wake_in then arm(report.wake_in); end -- before a local room answers within an action
		for _, action in ipairs(report.actions or {}) do
			local ok, fault = pcall(actions.perform[action.kind], action, event);
			if not ok then
				module:log("error", "The action %s failed: %s", action.kind, fault);
			end
		end
		return report.handled or nil;
	end

	-- A report in the place of the answer that says that there is one; false if there is none after all.
	local function fetched(answer)
		if answer ~= false then return true, answer; end
		local ok, report = pcall(core.report);
		return ok and report ~= nil, report;
	end
	answers.fetched = fetched;

	local function carry_out(event, answer)
		if type(answer) == "table" then return carry_out_report(event, answer); end
		return answer;
	end
	answers.carry_out = carry_out;

	local function told_about(event, what, ok, answer)
		if not ok then
			module:log("error", "The core failed on %s", what);
			return;
		end
		local handled = carry_out(event, answer);
		answers.report_failures();
		if actions.waiting() then actions.drain_soon(); end
		return handled;
	end

	-- What became of telling the core something about a stanza that is not to be held up.
	function answers.told_about(event, what, ok, answer)
		if not ok then return told_about(event, what, false); end
		return told_about(event, what, fetched(answer));
	end

	-- The same of what has to do with no stanza in hand.
	function answers.told(what, ok, answer)
		return answers.told_about(no_stanza, what, ok, answer);
	end

	function answers.report_failures()
		local failures = actions.take_failures();
		for i = 1, failures and #failures or 0, 3 do
			answers.told("a failed delivery", true, core.delivery_failed(
				failures[i], jid_bare(failures[i + 1]), failures[i + 1], failures[i + 2]));
		end
	end

	function answers.wake()
		answers.told("a deadline", pcall(core.wake));
	end

	return answers;
end
