# conda execute
# env: [python]
# ---
# env: [numpy]
