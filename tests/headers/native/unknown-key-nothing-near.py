# conda execute
# env: [python]
# colour: red
