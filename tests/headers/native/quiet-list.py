# conda execute
# env: [python]
# quiet: [true]
