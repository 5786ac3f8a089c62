# /// script
# requires-python = " >= v3.11.0-RC.1 , < 4!0 "
# ///

print("hello")
