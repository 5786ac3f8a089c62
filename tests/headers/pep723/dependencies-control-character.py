# /// script
# dependencies = ["ri\u0007ch"]
# ///

print("hello")
