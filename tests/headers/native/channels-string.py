# conda execute
# env: [python]
# channels: conda-forge
