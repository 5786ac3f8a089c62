# conda execute
# env: [python]
# channels: [bioconda, https://example.org/private, conda-forge]
