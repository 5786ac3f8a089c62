# conda execute
# env: &everything [python]
