-- What an account asks its own archive (XEP-0313) that includes the messages of rooms: mod_mam's archive, and the logs of
-- those rooms that the account was in, merged in order of receipt. All other queries are mod_mam's.
--
-- | event | priority | why there |
-- |-------|----------|-----------|
-- | iq-set/self/urn:xmpp:mam:2:query, iq-get/self/urn:xmpp:mam:2:query, the same of metadata | 1 | before mod_mam answers |
-- | account-disco-info | -1 | after mod_mam tells of its archive |

local dataforms = require "util.dataforms";
local timestamp = require "util.datetime".datetime;
local jid_bare = require "util.jid".bare;
local jid_resource = require "util.jid".resource;
local rsm = require "util.rsm";
local st = require "util.stanza";

local xmlns_mam = "urn:xmpp:mam:2";
local xmlns_forms = "jabber:x:data";
local xmlns_validate = "http://jabber.org/protocol/xdata-validate";

local cut_s = 0.0000015; -- a stamp is cut off to microseconds, and a time may be as far from it
local days_of = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }; -- each month

local host = prosody.hosts[module.host];

return function (log, merge)
	local default_most, most = 20, math.max(0, module:get_option_number("max_archive_query_results") or 50);

	local form = dataforms.new {
		{ name = "FORM_TYPE"; type = "hidden"; value = xmlns_mam };
		{ name = "with"; type = "jid-single" };
		{ name = "start"; type = "text-single"; datatype = "xs:dateTime" };
		{ name = "end"; type = "text-single"; datatype = "xs:dateTime" };
		{ name = "before-id"; type = "text-single" };
		{ name = "after-id"; type = "text-single" };
		{ name = "ids"; type = "list-multi" };
		{ name = "include-groupchat"; type = "boolean" };
	};

	local known_fields = {};
	for _, field in ipairs(form) do known_fields[field.name] = true; end

	local function is_on()
		return log.is_on and host.modules.mam;
	end

	local function includes_groupchat(query)
		local x = query:get_child("x", xmlns_forms);
		if not x then return false; end
		for field in x:childtags("field") do
			if field.attr.var == "include-groupchat" then
				local value = field:get_child_text("value");
				return value == "true" or value == "1";
			end
		end
		return false;
	end

	local function refuse(origin, stanza, kind, condition, text)
		origin.send(st.error_reply(stanza, kind, condition, text));
		return true;
	end

	local function days_in(year, month)
		if month ~= 2 then return days_of[month] or 0; end
		local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0);
		return is_leap and 29 or 28;
	end

	-- Whether a time may be one: Prosody takes each number of months.
	local function is_time(text)
		local year, month, day, hour, minute, second = (text or ""):match("^(%d+)%-?(%d%d)%-?(%d%d)T(%d%d):(%d%d):(%d%d)");
		if not year then return true; end -- and then it can't be read
		day = tonumber(day);
		return day >= 1 and day <= days_in(tonumber(year), tonumber(month))
			and tonumber(hour) <= 24 and tonumber(minute) <= 59 and tonumber(second) <= 60;
	end

	-- What is asked for; nothing, why, and the condition of the error, if that can't be read.
	local function read(query)
		local x = query:get_child("x", xmlns_forms);
		local form_type = dataforms.get_type(x);
		if form_type ~= xmlns_mam then return nil, "Unexpected FORM_TYPE, expected '"..xmlns_mam.."'"; end
		for field in x:childtags("field") do
			local name = field.attr.var;
			if name and not known_fields[name] then return nil, "Unknown field", "feature-not-implemented"; end
			if (name == "start" or name == "end") and not is_time(field:get_child_text("value")) then
				return nil, "Not a date";
			end
		end
		local fields, faults = form:data(x);
		if faults then return nil, select(2, next(faults)); end
		local set = rsm.get(query);
		local before, after = set and set.before, set and set.after;
		local count = math.max(0, math.min(set and set.max or default_most, most));
		local reverse = before ~= nil and before ~= false;
		return {
			with = fields.with and jid_bare(fields.with), with_full = jid_resource(fields.with) and fields.with;
			first_s = fields.start and fields.start - cut_s, last_s = fields["end"] and fields["end"] + cut_s;
			before = type(before) == "string" and before or fields["before-id"];
			after = type(after) == "string" and after or fields["after-id"];
			ids = fields.ids and #fields.ids > 0 and fields.ids or nil;
			count = count, reverse = reverse, flip = reverse ~= (query:get_child("flip-page") ~= nil);
		};
	end

	local function stamp_of(found)
		return timestamp(found.stamp or found.when);
	end

	local function result(stanza, queryid, found)
		local message = found.stanza;
		message.attr.xmlns = "jabber:client";
		return st.message({ to = stanza.attr.from, from = stanza.attr.to })
			:tag("result", { xmlns = xmlns_mam, queryid = queryid, id = found.id })
				:tag("forwarded", { xmlns = "urn:xmpp:forward:0" })
					:tag("delay", { xmlns = "urn:xmpp:delay", stamp = stamp_of(found) }):up()
					:add_child(message):reset();
	end

	local function answer(origin, stanza, asked, page, share)
		local queryid = stanza.tags[1].attr.queryid;
		local found = page.found;
		local from, to, step = 1, #found, 1;
		if asked.flip then from, to, step = #found, 1, -1; end
		for i = from, to, step do
			origin.send(result(stanza, queryid, found[i]));
			share();
		end
		local first, last = found[1], found[#found];
		if asked.reverse then first, last = last, first; end
		origin.send(st.reply(stanza)
			:tag("fin", { xmlns = xmlns_mam, complete = page.is_complete and "true" or nil })
				:add_child(rsm.generate { first = first and first.id, last = last and last.id, count = page.count }));
	end

	module:hook("iq-set/self/"..xmlns_mam..":query", function (event)
		local origin, stanza = event.origin, event.stanza;
		local query = stanza.tags[1];
		if not is_on() or not includes_groupchat(query) then return; end
		origin.mam_requested = true;
		local asked, fault, its_condition = read(query);
		if not asked then return refuse(origin, stanza, "modify", its_condition or "bad-request", fault); end
		local share = log.sharing();
		local page, condition = merge(origin.username, asked, share);
		if page then
			answer(origin, stanza, asked, page, share);
		elseif condition == "item-not-found" then
			refuse(origin, stanza, "modify", condition);
		else
			module:log("error", "An archive can't be read: %s", condition);
			refuse(origin, stanza, "cancel", "internal-server-error");
		end
		return true;
	end, 1);

	module:hook("iq-get/self/"..xmlns_mam..":query", function (event)
		if not is_on() then return; end
		local fields = form:form();
		for field in fields:childtags("field") do
			if field.attr.var == "ids" then
				field:tag("validate", { xmlns = xmlns_validate, datatype = "xs:string" }):tag("open"):reset();
			end
		end
		event.origin.send(st.reply(event.stanza):query(xmlns_mam):add_child(fields));
		return true;
	end, 1);

	-- The first message and the last, if one of them is of a room; else mod_mam answers.
	module:hook("iq-get/self/"..xmlns_mam..":metadata", function (event)
		local origin, stanza = event.origin, event.stanza;
		if not is_on() then return; end
		local ends, is_ours = {}, false;
		for i, reverse in ipairs({ false, true }) do
			local page = merge(origin.username, { count = 1, reverse = reverse }, log.sharing());
			if not page then return; end
			ends[i] = page.found[1];
			is_ours = is_ours or ends[i] ~= nil and ends[i].room ~= nil;
		end
		if not (is_ours and ends[1] and ends[2]) then return; end
		origin.send(st.reply(stanza):tag("metadata", { xmlns = xmlns_mam })
			:tag("start", { id = ends[1].id, timestamp = stamp_of(ends[1]) }):up()
			:tag("end", { id = ends[2].id, timestamp = stamp_of(ends[2]) }):up());
		return true;
	end, 1);

	module:hook("account-disco-info", function (event)
		if not is_on() then return; end
		local reply = event.reply or event.stanza;
		reply:tag("feature", { var = xmlns_mam.."#groupchat-field" }):up();
		reply:tag("feature", { var = xmlns_mam.."#groupchat-available" }):up();
	end, -1);
end
