-- What the accounts publish (XEP-0163).

-- `handlers_for (service, username)` gives the handlers of each account's service, by event.
return function (handlers_for)
	local pep = {};
	local watched = {}; -- by PEP service: its handlers

	local function watch(event)
		local service = event.item.service;
		local username = service.config.pep_username;
		if watched[service] or not username then return; end
		watched[service] = handlers_for(service, username);
		for name, handler in pairs(watched[service]) do service.events.add_handler(name, handler); end
	end

	local function stop_watching(service)
		for name, handler in pairs(watched[service] or {}) do service.events.remove_handler(name, handler); end
	end

	local function unwatch(event)
		stop_watching(event.item.service);
		watched[event.item.service] = nil;
	end

	-- Services come and go with a cache; each change finds one that is watched.
	module:handle_items("pep-service", watch, unwatch, true);

	function pep.close()
		for service in pairs(watched) do stop_watching(service); end
	end

	return pep;
end
