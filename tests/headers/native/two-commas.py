# conda execute
# env: [numpy,, scipy]
