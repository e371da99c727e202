-- Counts what an account sees of its archive. A store that counts tells how many entries there are from a second on, so that only
-- the seconds are read in which the account came or went. What was said while it was out, and came when it was in, is counted
-- with the rest: XEP-0059 §2.7 allows that.

local tick_s = 0.0005; -- less than what the times of entries tell
local cut_s = 0.0000015; -- as much a stamp may be beyond the time of receipt
local latest_s = 2^31 - 1; -- that PostgreSQL takes
local most = 30; -- entries that are read at once

-- Of two times, of which each may be missing, `latest` and `earliest` give one.
return function (reader, latest, earliest)
	-- How many entries a source has from a second on; nothing if it does not tell.
	local function count_from(source, first_s)
		local items, total = source.find({ start = first_s, total = true, limit = 0 });
		if items then
			items(); -- so that a file is closed
			return tonumber(total);
		end
		if total ~= nil then error({ condition = total }, 0); end
		return nil;
	end

	local function read_all(source, range, is_at_once, share)
		local count = 0;
		for _ in reader(source, false, range, most, share, is_at_once) do count = count + 1; end
		return count;
	end

	-- The number of entries in an interval of which all are seen.
	local function count_between(source, first_s, last_s, share)
		local from_s, to_s = first_s and math.floor(first_s) + 1 or 0, last_s and math.floor(last_s);
		local function read(range) return read_all(source, range, false, share); end
		if to_s and to_s < from_s then return read({ first_s = first_s, last_s = last_s }); end
		-- Both without a pause: what is written meanwhile would be among those after the interval alone.
		local count, after = count_from(source, from_s), 0;
		if to_s then after = count_from(source, to_s); end
		share();
		if not (count and after) then return read_all(source, { first_s = first_s, last_s = last_s }, true, share); end
		count = count - after;
		if first_s then count = count + read({ first_s = first_s, last_s = from_s - tick_s }); end
		if to_s then count = count + read({ first_s = to_s, last_s = last_s }); end
		return count;
	end

	local function count_of(source, range, share)
		local counts = count_from(source, latest_s) ~= nil; -- internal storage does while it has nothing
		share();
		local is_looked_at = not counts or range.after or range.before or range.with_full;
		local intervals = not is_looked_at and source.intervals();
		if not intervals then return read_all(source, range, not counts, share); end
		local first_s, last_s = latest(source.first_s, range.first_s), earliest(source.last_s and source.last_s + cut_s, range.last_s);
		local count = 0;
		for _, interval in ipairs(intervals) do
			local from_s = latest(interval.first_ms and interval.first_ms / 1000, first_s);
			local to_s = earliest(interval.last_ms and interval.last_ms / 1000 + cut_s, last_s);
			count = count + count_between(source, from_s, to_s, share);
		end
		return count;
	end

	-- The messages of all these sources within that range. `share` is called meanwhile.
	return function (wanted, range, share)
		local count = 0;
		for _, source in ipairs(wanted) do count = count + count_of(source, range, share); end
		return count;
	end
end
