# /// script
# dependencies = ["rich 13.0"]
# ///

print("hello")
