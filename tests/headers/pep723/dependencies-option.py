# /// script
# dependencies = ["-r requirements.txt"]
# ///

print("hello")
