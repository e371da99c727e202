-- Others have their turn. Whoever calls it is where it may be made to wait: `async.ready()` says whether it is.

local async = require "util.async";

return function ()
	local wait, done = async.waiter();
	module:add_timer(0, done);
	wait();
end
