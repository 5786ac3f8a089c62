-- conda execute
-- env:
-- channels: [a]
run_with: lua
