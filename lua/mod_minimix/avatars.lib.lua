-- Which avatars the accounts publish (XEP-0084), so that rooms are shown the new one at once.

local xmlns_metadata = "urn:xmpp:avatar:metadata";

local function hash_of(item)
	local metadata = item and item:get_child("metadata", xmlns_metadata);
	local info = metadata and metadata:get_child("info");
	return info and info.attr.id or "";
end

return function (tell)
	return module:require "pep"(function (_, username)
		local function on_published(event)
			tell(username.."@"..module.host, hash_of(event.item));
		end
		return { ["item-published/"..xmlns_metadata] = on_published };
	end);
end
