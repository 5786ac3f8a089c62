# /// script
# dependencies = ["rich"]
# ///

# conda execute
# env: [python]
