# conda execute
# [a, b]: c
