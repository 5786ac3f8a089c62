# conda execute
# env: *everything
