# /// script
# [tool.pixi.pypi-dependencies]
# torch = { version = ">=2", index = "https://example.org/simple" }
# other = { index = "https://example.org/other" }
# mine = { path = "lib", editable = true, extras = ["x"] }
# plain = { path = "lib", editable = false }
# [tool.pixi.target.linux.pypi-dependencies]
# other = ">=1"
# [tool.uv]
# index = [{ name = "a", url = "https://a.example" }]
# sources = { torch = { index = "a" } }
# ///
