# /// script
# dependencies = ["rich",
#   "requests"
# ///

print("hello")
