# conda execute
# env: [python]
# exclude-newer: 2026-03-31T12:00:00Z
