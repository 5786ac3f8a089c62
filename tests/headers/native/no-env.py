# conda execute
# run_with: python
