# conda execute
# env: [python]
# channels: []
