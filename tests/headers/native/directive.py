# conda execute
# %YAML 1.2
# env: [python]
