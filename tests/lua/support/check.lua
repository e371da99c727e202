-- The smallest test runner: check.test(name, function), then check.done().

local check = {};
local failed, passed = 0, 0;

function check.test(name, run)
	local ok, fault = xpcall(run, debug.traceback);
	if ok then
		passed = passed + 1;
	else
		failed = failed + 1;
		print("FAILED  "..name.."\n"..fault);
	end
end

function check.equal(found, expected, what)
	if found ~= expected then
		error(("%s: expected %s, found %s"):format(what or "value", tostring(expected), tostring(found)), 2);
	end
end

function check.list(found, expected, what)
	check.equal(table.concat(found, " "), table.concat(expected, " "), what);
end

-- Bytes of Lua memory that a call leaves behind, as a mean over many.
function check.garbage(call, times)
	times = times or 1000;
	for _ = 1, 200 do call(); end
	collectgarbage();
	collectgarbage("stop");
	local before = collectgarbage("count");
	for _ = 1, times do call(); end
	local after = collectgarbage("count");
	collectgarbage("restart");
	return (after - before) * 1024 / times;
end

function check.done()
	print(("%d passed, %d failed"):format(passed, failed));
	os.exit(failed == 0);
end

return check;
