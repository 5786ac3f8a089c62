# conda execute
# env: numpy
