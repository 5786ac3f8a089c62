# conda execute
# "größe": 3
