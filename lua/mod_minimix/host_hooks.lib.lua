-- What happens to the host: connections to other servers, accounts, options, the end.
--
-- | event           | priority | why there |
-- |-----------------|----------|-----------|
-- | s2sout-destroyed, s2sin-destroyed | 0 | |
-- | s2sout-created, s2sout-established, s2s-destroyed | 0 | a connection that is never up is told as s2s-destroyed alone |
-- | s2sin-established | 0 | |
-- | user-deleted, user-disabled | 100 | the account's rooms are left before its stores are purged |
-- | config-reloaded | 0        | |
-- | server-stopping | 1000     | before any session is closed |
-- | host-deactivating | 1000   | before streams are closed |
-- | item-published, item-retracted, node-purged, node-deleted of a PEP service | 0 | pep.lib.lua |
-- | resource-bind   | -1       | bookmarks.lib.lua: below mod_bookmarks |
-- | user-enabled    | 0        | bookmarks.lib.lua |

local async = require "util.async";
local now = require "util.time".now;

local collect_rarely = module:require "collector";
local pause = module:require "pause";

local slice_s = 0.005; -- of work for all accounts, before others have their turn

return function (core, answers, stack, storage, loading)
	local host_hooks = {};
	local tell = answers.tell;

	--- Connections to other servers ---

	-- Whether a stream was closed as it should be: by us without a reason (nil), by the peer without one (false), or by
	-- the peer with a text, because it was idle (ejabberd). We give no text when we close one that does not answer.
	local function in_peace(reason)
		return not reason or (type(reason) == "string" and reason:sub(1, 20) == "connection-timeout (");
	end

	-- What the peer says may be lost with a stream that brought it. With mod_s2s_bidi one that we opened is `incoming` too.
	local function tell_lost(domain, event)
		local session = event.session;
		local is_incoming = session.direction ~= "outgoing" or session.incoming == true;
		tell("a lost connection", core.service_lost, domain, in_peace(event.reason), is_incoming);
	end

	module:hook("s2sout-destroyed", function (event)
		if event.session.to_host then tell_lost(event.session.to_host, event); end
	end);

	-- A peer may say that it is any host: only those count for which it has proved it.
	local function proved_domains(session)
		local domains = {};
		for domain, state in pairs(session.hosts or {}) do
			if state.authed then table.insert(domains, domain); end
		end
		table.sort(domains);
		return domains;
	end

	module:hook("s2sin-destroyed", function (event)
		for _, domain in ipairs(proved_domains(event.session)) do tell_lost(domain, event); end
	end);

	-- What is for a server that has yet to be reached waits, and is sent or bounced when that is settled.
	local function tell_settled(event)
		local session = event.session;
		if session.direction == "outgoing" and session.from_host == module.host and session.to_host then
			tell("a settled connection", core.stream_settled, session.to_host);
		end
	end

	module:hook("s2sout-created", function (event)
		tell("a new connection", core.stream_begun, event.session.to_host);
	end);
	module:hook("s2sout-established", function (event)
		tell_settled(event);
		tell("a new stream", core.stream_established, event.session.to_host, false);
	end);
	-- Fires again whenever the peer has proved that it is one more host.
	module:hook("s2sin-established", function (event)
		for _, domain in ipairs(proved_domains(event.session)) do
			tell("a new stream", core.stream_established, domain, true);
		end
	end);
	module:hook_global("s2s-destroyed", tell_settled);

	--- Accounts and options ---

	local function account_gone(event)
		if event.host ~= module.host then return; end
		loading.ensure(event.username);
		tell("the end of an account", core.account_gone, event.username.."@"..event.host);
	end
	module:hook_global("user-deleted", account_gone, 100);
	module:hook_global("user-disabled", account_gone, 100);

	module:hook_global("config-reloaded", function ()
		local options = module:require "options";
		storage.log.configure(options);
		tell("a change of the options", core.configured, options);
	end);

	local avatars = module:require "avatars"(function (account, hash)
		tell("a new avatar", core.avatar, account, hash);
	end);

	-- What is stored of the account comes first: it may have left those rooms.
	local function tell_bookmarks(what, call)
		return function (username, ...)
			loading.ensure(username);
			tell(what, call, username.."@"..module.host, ...);
		end;
	end

	local bookmarks = module:require "bookmarks" {
		changed = tell_bookmarks("a bookmark", core.bookmark_changed);
		purged = tell_bookmarks("the end of all bookmarks", core.bookmarks_purged);
		logged_in = tell_bookmarks("a login", core.logged_in);
		rules = tell_bookmarks("what is to be notified", core.rules_read);
	};

	--- The end ---

	local is_over = false;

	-- All accounts have their turn, some at a time: what so many send and store would be dear if it were there all at once.
	-- After each slice others have theirs if they `may` and the server lets us wait.
	local function tell_all(what, call, may)
		local collect_as_usual = collect_rarely();
		local until_s = now() + slice_s;
		repeat
			tell(what, call);
			stack.flush_everything();
			local has_more = core.has_more();
			if has_more and may and now() >= until_s and async.ready() then
				pause();
				storage.catch_up();
				until_s = now() + slice_s;
			end
		until not has_more;
		collect_as_usual();
	end

	local function stop()
		if is_over then return; end
		is_over = true;
		tell_all("the end", core.shutdown, true);
		storage.flush();
		loading.note_alive();
	end
	module:hook_global("server-stopping", stop, 1000);

	-- The host is taken down. When modules are unloaded, its connections to other servers are closed already.
	module:hook_global("host-deactivating", function (event)
		if is_over or event.host ~= module.host then return; end
		is_over = true;
		loading.finish();
		tell_all("the end of the host", core.host_gone);
		storage.flush();
	end, 1000);

	-- The module goes for good: every session goes on by itself.
	function host_hooks.hand_back()
		if is_over then return; end
		is_over = true;
		loading.finish();
		module:require "handover".begin(core.rooms());
		tell_all("the handing back of all rooms", core.hand_back, true);
		storage.flush();
	end

	function host_hooks.close()
		avatars.close();
		bookmarks.close();
	end

	return host_hooks;
end
