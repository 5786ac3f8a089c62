# conda execute
# env:
