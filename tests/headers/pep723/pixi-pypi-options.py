# /// script
# dependencies = ["rich"]
# [tool.pixi.pypi-options]
# index-url = "https://example.org/simple"
# extra-index-urls = ["https://example.org/more"]
# find-links = [{ path = "wheels" }, { url = "https://example.org/links" }]
# index-strategy = "unsafe-best-match"
# no-build-isolation = ["flash-attn"]
# no-build = true
# prerelease-mode = "allow"
# dependency-overrides = { numpy = ">=2" }
# ///

print("hello")
