-- Which avatars the accounts publish (XEP-0084), so that rooms are shown the new one at once.

local xmlns_metadata = "urn:xmpp:avatar:metadata";

return function (tell)
	local avatars = {};
	local watched = {}; -- by PEP service: its handler

	local function hash_of(item)
		local metadata = item and item:get_child("metadata", xmlns_metadata);
		local info = metadata and metadata:get_child("info");
		return info and info.attr.id or "";
	end

	local function watch(event)
		local service = event.item.service;
		local username = service.config.pep_username;
		if watched[service] or not username then return; end
		local function published(publication)
			tell(username.."@"..module.host, hash_of(publication.item));
		end
		watched[service] = published;
		service.events.add_handler("item-published/"..xmlns_metadata, published);
	end

	local function unwatch(event)
		local service = event.item.service;
		local handler = watched[service];
		watched[service] = nil;
		if handler then service.events.remove_handler("item-published/"..xmlns_metadata, handler); end
	end

	-- Services come and go with a cache; each publication finds one that is watched.
	module:handle_items("pep-service", watch, unwatch, true);

	function avatars.close()
		for service, handler in pairs(watched) do
			service.events.remove_handler("item-published/"..xmlns_metadata, handler);
		end
	end

	return avatars;
end
