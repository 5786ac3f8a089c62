# /// script
# dependencies = ["rich[a >=13"]
# ///

print("hello")
