# conda execute
# "env": ['numpy >=1,<2', "scipy"]
