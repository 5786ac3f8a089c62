# conda execute
# env: [python]

# conda execute
# env: [numpy]
