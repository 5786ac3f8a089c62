# conda execute
# env: [python]
# exclude-newer: "2 weeks"
