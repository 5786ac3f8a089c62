# conda execute
# env: !!python/object/apply:os.system [true]
