# /// script
# dependencies = ["httpx[http2]"]
# ///
