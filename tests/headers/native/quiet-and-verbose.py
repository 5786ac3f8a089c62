# conda execute
# env: [python]
# quiet: true
# verbose: true
