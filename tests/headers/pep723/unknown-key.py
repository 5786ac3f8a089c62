# /// script
# dependencys = ["rich"]
# ///

print("hello")
