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

local function growth(call, times)
	collectgarbage();
	collectgarbage("stop");
	for _ = 1, 10 do call(); end -- the collector has shrunk Lua's own stack
	local before = collectgarbage("count");
	for _ = 1, times do call(); end
	local after = collectgarbage("count");
	collectgarbage("restart");
	return (after - before) * 1024 / times;
end

-- Bytes of Lua memory that a call leaves behind: the mean over many, and the least of three rounds.
function check.garbage(call, times)
	local least = math.huge;
	for _ = 1, 3 do least = math.min(least, growth(call, times or 1000)); end
	return least;
end

-- Libraries that stay loaded: else memcheck would take what they keep in statics for lost.
local function keep_libraries()
	local handles = debug.getregistry()._CLIBS or {};
	for i = #handles, 1, -1 do handles[i] = nil; end
end

-- Whether the core was the library, and not a stub in its place.
local function has_core()
	for path in pairs(debug.getregistry()._CLIBS or {}) do
		if tostring(path):find("minimix_core", 1, true) then return true; end
	end
	return false;
end

-- Ends the process with the state closed, so that every finalizer has run.
function check.exit(is_passed)
	keep_libraries();
	os.exit(is_passed, true);
end

function check.done()
	print(("%d passed, %d failed%s"):format(passed, failed, has_core() and ", with the core" or ""));
	check.exit(failed == 0);
end

return check;
