# conda execute
# env:
#  - pip
#    - humanize
