# conda execute
# env: [python 3.10, "2026-01-01", yes, 0x10, 1e3]
