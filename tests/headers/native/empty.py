# conda execute

print()
