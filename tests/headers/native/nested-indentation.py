# conda execute
# env:
#     - python
#     - pip:
#           - rich
#           - requests
# channels:
#     - conda-forge
