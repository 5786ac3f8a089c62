# /// script
# # Grüße ☃
# dependencies = ["rich"] # ☃
# föö = 1
# ///

print("hello")
