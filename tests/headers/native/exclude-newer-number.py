# conda execute
# env: [python]
# exclude-newer: 7
