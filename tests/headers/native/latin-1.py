# conda execute
# env: [python]
# café
