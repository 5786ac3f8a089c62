-- conda execute
-- env:
--  - lua 5.4.*
-- -- a note

print("hello")
