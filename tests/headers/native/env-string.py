# conda execute
# env: numpy
