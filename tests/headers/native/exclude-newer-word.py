# conda execute
# env: [python]
# exclude-newer: yesterday
