# conda execute
# env: [python]
# run-with: python
