# Run this with conda execute
# env: [python]
