# conda execute
# env: [python]
# system: cuda
