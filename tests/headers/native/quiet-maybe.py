# conda execute
# env: [python]
# quiet: maybe
