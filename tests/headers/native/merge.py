# conda execute
# env: [python]
# <<: {channels: [a]}
