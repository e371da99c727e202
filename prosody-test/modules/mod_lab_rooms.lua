-- Test only. Rooms that are there from the start.
--
--	lab_rooms = { ["lounge"] = "Lounge" }

local rooms = module:get_option("lab_rooms", {});

module:hook_global("server-started", function ()
	local muc = module:depends("muc");
	for localpart, name in pairs(rooms) do
		local room = muc.create_room(localpart .. "@" .. module.host);
		room:set_persistent(true);
		room:set_public(true);
		room:set_name(name);
		room:save(true);
	end
end);
