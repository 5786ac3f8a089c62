# conda execute
# env: [python]