# conda execute
# env
