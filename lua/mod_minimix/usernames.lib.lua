-- The users of whom a store has something, in order; nothing, and why, if that can't be read. Stores may raise errors, and
-- one in a module that is loaded keeps the server from starting.

local pcall, error = pcall, error;

local function list(store)
	local usernames = {};
	local iterator, state, first = store:users();
	if iterator == nil then error(state, 0); end
	for username in iterator, state, first do table.insert(usernames, username); end
	table.sort(usernames);
	return usernames;
end

return function (store)
	local ok, result = pcall(list, store);
	if ok then return result; end
	return nil, result;
end
