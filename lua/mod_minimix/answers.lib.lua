-- What becomes of a call of the core: its answer is carried out, or its fault is logged.
--
-- An answer is nothing (not ours), true (dealt with), a number (relay to so many receivers) or false: the core has
-- a report, a table (all else) or a string (it can't read the stanza). src/lua/answer.rs has the details.

local jid_bare = require "util.jid".bare;

local type, pcall = type, pcall;

return function (core, actions, stack)
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
				module:log("error", "The action %s failed: %s", action.kind, stack.text_of(fault));
			end
		end
		return report.handled or nil;
	end

	-- Fetches the report that `false` announces, and says whether there is one; any other answer is given back.
	function answers.fetch_report(answer)
		if answer ~= false then return true, answer; end
		local ok, report = pcall(core.report);
		return ok and report ~= nil, report;
	end

	-- Does what an answer says, and gives what the hook has to return.
	function answers.carry_out(event, answer)
		if type(answer) == "table" then return carry_out_report(event, answer); end
		return answer;
	end

	local function carry_out_or_refuse(event, refuse, account, room, ok, answer)
		local handled = true;
		if not ok then
			refuse(event, "error", "the core failed");
			-- After a panic what the core knows of that room is worth nothing.
			answers.tell("leaving a room after a fault", core.abandoned, jid_bare(account), jid_bare(room));
		elseif type(answer) == "string" then
			refuse(event, "debug", answer);
		else
			handled = answers.carry_out(event, answer);
		end
		answers.report_failures();
		return handled;
	end

	-- Does what the answer about the stanza in hand says. One that the core can't read, or that makes it fail, is refused by
	-- that function. What it has made wait goes at once if it `may`.
	function answers.carry_out_stanza(event, answer, refuse, account, room, may)
		local ok, handled = stack.protect(carry_out_or_refuse, event, refuse, account, room, answers.fetch_report(answer));
		stack.settle(may);
		if ok then return handled; end
		module:log("error", "A stanza was dropped: %s", stack.text_of(handled));
		return true;
	end

	local function carry_out_answer(event, what, ok, answer)
		if ok then ok, answer = answers.fetch_report(answer); end
		if not ok then
			module:log("error", "The core failed on %s", what);
			return nil;
		end
		local handled = answers.carry_out(event, answer);
		answers.report_failures();
		stack.settle(false);
		return handled;
	end

	-- Tells the core, by that call, something about a stanza that is not to be held up.
	function answers.tell_about(event, what, call, ...)
		return carry_out_answer(event, what, pcall(call, ...));
	end

	-- Tells the core something that has to do with no stanza in hand. Timers and sessions that end do, and other modules
	-- are shown what is delivered then, and may wait.
	function answers.tell(what, call, ...)
		local arguments = table.pack(...);
		stack.run(function ()
			carry_out_answer(no_stanza, what, pcall(call, table.unpack(arguments, 1, arguments.n)));
		end);
	end

	function actions.tell_answer(domain, id, condition)
		answers.tell("the answer of a service", core.service_answered, domain, id, condition);
	end

	function answers.report_failures()
		local failures = actions.take_failures();
		for i = 1, failures and #failures or 0, 3 do
			answers.tell("a failed delivery", core.delivery_failed,
				failures[i], jid_bare(failures[i + 1]), failures[i + 1], failures[i + 2]);
		end
	end

	function answers.wake()
		answers.tell("a deadline", core.wake);
	end

	return answers;
end
