# conda execute: see the manual
# env: [python]
