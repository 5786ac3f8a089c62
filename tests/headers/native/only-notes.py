# conda execute
# # env

print()
