# /// script
# [tool.pixi.activation]
# scripts = ["setup.sh"]
# ///

print("hello")
