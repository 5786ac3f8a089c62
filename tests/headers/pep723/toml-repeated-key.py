# /// script
# dependencies = []
# dependencies = ["rich"]
# ///

print("hello")
