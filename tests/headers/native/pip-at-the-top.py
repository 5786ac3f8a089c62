# conda execute
# env: [python]
# pip:
#  - rich
