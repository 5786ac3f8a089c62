# conda execute
# env: [python]
# exclude-newer: 2026-02-30
