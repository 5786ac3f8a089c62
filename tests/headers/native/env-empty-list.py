# conda execute
# env: []
