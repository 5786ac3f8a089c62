# conda execute
# env:
#  - python
#  - pip:
#    - -r requirements.txt
