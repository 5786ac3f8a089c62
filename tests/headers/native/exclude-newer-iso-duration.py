# conda execute
# env: [python]
# exclude-newer: P1W
