# conda execute
# env: [python]
# exclude-newer: commit
