# conda exec
# env: [python]
