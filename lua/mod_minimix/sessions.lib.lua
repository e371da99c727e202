-- Numbers for sessions: the core knows a session by its number, which is never used again for another one.
-- Number and account are fields of the session, so that they survive a reload of the module and a resumed stream.

return function (next_id)
	local by_id = {};
	local sessions = { by_id = by_id };

	function sessions.connected()
		local list = {};
		for _, user in pairs(prosody.hosts[module.host].sessions) do
			for _, session in pairs(user.sessions) do
				if session.full_jid then table.insert(list, session); end
			end
		end
		table.sort(list, function (a, b) return a.full_jid < b.full_jid; end);
		return list;
	end

	-- The number of a session. The session gets it when the core may first hear of it. A destroyed one gets none.
	function sessions.id(session)
		local id = session.minimix_id;
		if id or session.destroyed then return id; end
		id, next_id = next_id, next_id + 1;
		by_id[id] = session;
		session.minimix_id = id;
		session.minimix_account = session.username.."@"..session.host;
		return id;
	end

	function sessions.forget(session)
		by_id[session.minimix_id] = nil;
	end

	function sessions.forget_all()
		for _, session in ipairs(sessions.connected()) do
			session.minimix_id, session.minimix_account = nil, nil;
		end
	end

	function sessions.next_id()
		return next_id;
	end

	if next_id then
		for _, session in ipairs(sessions.connected()) do
			if session.minimix_id then by_id[session.minimix_id] = session; end
		end
	else
		next_id = 1;
		sessions.forget_all();
	end

	return sessions;
end
