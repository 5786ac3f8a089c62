# /// script
# "dependencies" = ["rich"]
# [tool."conda"]
# 'dependencies' = ["numpy"]
# ///

print("hello")
