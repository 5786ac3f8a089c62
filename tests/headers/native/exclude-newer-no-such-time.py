# conda execute
# env: [python]
# exclude-newer: 2026-01-01T25:00:00Z
