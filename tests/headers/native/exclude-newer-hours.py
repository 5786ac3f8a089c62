# conda execute
# env: [python]
# exclude-newer: 36h
