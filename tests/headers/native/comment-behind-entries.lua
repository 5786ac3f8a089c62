-- conda execute
-- env:
-- - lua
--- What this does.
print()
