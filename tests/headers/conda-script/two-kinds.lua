-- conda execute
-- env: [lua]

-- /// conda-script
-- channels = ["conda-forge"]
-- entrypoint = "lua ${SCRIPT}"
-- /// end-conda-script
