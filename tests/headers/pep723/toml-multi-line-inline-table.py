# /// script
# tool.conda = {
#   dependencies = ["numpy"],
#   # a note
# }
# ///

print("hello")
