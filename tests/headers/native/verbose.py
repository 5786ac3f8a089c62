# conda execute
# env: [python]
# verbose: On
# quiet: off
