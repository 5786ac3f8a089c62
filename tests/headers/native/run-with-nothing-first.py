# conda execute
# env: [python]
# run_with: ["", a]
