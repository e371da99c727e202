std = "lua54c"
max_line_length = 130
read_globals = { "prosody" }
globals = { "module" }
