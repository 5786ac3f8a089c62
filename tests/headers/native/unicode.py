# Grüße aus Köln — ☃
# conda execute
# env:
#  - python # für später
# run_with: [python, "größe ☃"]
