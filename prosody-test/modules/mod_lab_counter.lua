-- Test only. A component whose rooms have everybody in whom they are asked about; it counts what each account asks.
--
--	<counter xmlns="urn:lab:counter"/>     in a query to the component: how many stanzas came, as JSON

local st = require "util.stanza";
local json = require "util.json";
local jid_bare = require "util.jid".bare;

local xmlns = "urn:lab:counter";

local queries = {}; -- by account and room
local counts = { rooms = 0, most = 0, presences = 0, others = 0 };

local function query(event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "get" then counts.others = counts.others + 1; return true; end
	local key = jid_bare(stanza.attr.from).." "..jid_bare(stanza.attr.to);
	if not queries[key] then counts.rooms = counts.rooms + 1; end
	queries[key] = (queries[key] or 0) + 1;
	counts.most = math.max(counts.most, queries[key]);
	event.origin.send(st.reply(stanza));
	return true;
end

for _, form in ipairs({ "bare", "full" }) do
	module:hook("iq/"..form, query, 1000);
	module:hook("presence/"..form, function () counts.presences = counts.presences + 1; return true; end, 1000);
	module:hook("message/"..form, function () counts.others = counts.others + 1; return true; end, 1000);
end

module:hook("iq-get/host/"..xmlns..":counter", function (event)
	event.origin.send(st.reply(event.stanza):text_tag("counter", json.encode(counts), { xmlns = xmlns }));
	return true;
end);
