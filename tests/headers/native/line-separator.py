# conda execute
# env: [python ]
