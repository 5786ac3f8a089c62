#!/usr/bin/env conda-execute
-- A script in another language: the header uses the comments of that language.

-- conda execute
-- env:
--  - lua >=5
-- run_with: lua

local name = arg[1] or "world"
print(("hello %s, from %s"):format(name, _VERSION))
