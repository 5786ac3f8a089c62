# conda-execute
# env: [python]
