# /// script
# dependencies = ["rich >=13 <15"]
# ///

print("hello")
