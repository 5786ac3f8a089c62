# conda execute
# env: [@home]
