# conda execute
# env: [python, ""]
