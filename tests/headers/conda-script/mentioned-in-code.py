marker = "# /// conda-script"
print("x /// conda-script")
x /// conda-script
