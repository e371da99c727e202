-- Finds the core and makes sure that it is the one that belongs to this wrapper.

local lua_version = _VERSION:match("%d+%.%d+");

-- plugin_paths are no part of package.cpath, and up to 13.0.6 neither is the lib directory of the installer.
local function candidates()
	local files = { module:get_directory().."/minimix_core.so" };
	local installer = prosody.paths and prosody.paths.installer;
	if installer then
		table.insert(files, installer.."/lib/lua/"..lua_version.."/minimix_core.so");
	end
	return files;
end

local function exists(path)
	local file = io.open(path, "rb");
	if file then file:close(); end
	return file ~= nil;
end

local function load_core()
	local found, core = pcall(require, "minimix_core");
	if found then return core; end
	local fault = tostring(core):match("^error loading module[^\n]*\n%s*([^\n]+)");
	if fault then return nil, "mod_minimix can't load its core: "..fault; end
	for _, path in ipairs(candidates()) do
		if exists(path) then
			local open, open_fault = package.loadlib(path, "luaopen_minimix_core");
			if open then return open("minimix_core", path); end
			return nil, "mod_minimix can't load its core: "..tostring(open_fault);
		end
	end
	return nil, ("mod_minimix needs minimix_core.so for Lua %s, which is in none of: %s;%s"):format(
		lua_version, package.cpath, table.concat(candidates(), ";"));
end

return function (version)
	local core, fault = load_core();
	if not core then return nil, fault; end
	if core.VERSION ~= version then
		return nil, ("mod_minimix %s found minimix_core %s: install both from one release and restart Prosody"):format(
			version, tostring(core.VERSION));
	end
	if core.LUA ~= lua_version then
		return nil, ("mod_minimix found a core for Lua %s, this is Lua %s"):format(tostring(core.LUA), lua_version);
	end
	return core;
end
