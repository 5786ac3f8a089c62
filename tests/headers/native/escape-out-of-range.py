# conda execute
# env: ["\UFFFFFFFF"]
