# conda execute
# env: ["num\apy"]
