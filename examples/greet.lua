#!/usr/bin/env conda-execute
-- A script need not be Python: the header stands behind whatever opens a comment in its language.

-- conda execute
-- env:
--  - lua >=5
-- run_with: lua

local name = arg[1] or "world"
print(("hello %s, from %s"):format(name, _VERSION))
