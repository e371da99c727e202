-- The hot path with the real core: what a room says to two sessions costs Lua no memory.

local check = require "support.check";
local joined = require "support.joined";

check.test("a message to two sessions leaves no garbage", function ()
	check.equal(check.garbage(joined.event(joined.server(2), joined.message)), 0);
end);

check.test("a presence to two sessions leaves no garbage", function ()
	check.equal(check.garbage(joined.event(joined.server(2), joined.presence)), 0);
end);

check.test("neither does one that another module is shown", function ()
	for _, stanza in ipairs({ joined.message, joined.presence }) do
		check.equal(check.garbage(joined.event(joined.watched(joined.server(2)), stanza)), 0, stanza.name);
	end
end);

check.test("a message that is not ours leaves none either", function ()
	check.equal(check.garbage(joined.event(joined.server(2), joined.message, "bob@example.net/desk")), 0);
end);

check.test("a message to many sessions reaches all of them", function ()
	joined.server(100); -- makes sure of it
end);

check.done();
