# conda execute
# env: [python]
# run_with:
#   unix: python
