# conda execute
# env: [python]
# exclude-newer: 2026-03-31 12:00:00.5+02:00
