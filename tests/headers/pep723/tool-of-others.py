# /// script
# [tool.black]
# line-length = 120
# [tool.hatch.envs.x]
# nested = { deep = [{ deeper = 1 }] }
# ///

print("hello")
