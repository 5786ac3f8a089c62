# conda execute
# env: [python, numpy >=1.20,<2]
