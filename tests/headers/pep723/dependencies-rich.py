# /// script
# dependencies = [
#   "httpx[http2,socks]>=0.27,<1",   # a note
#   "tomli>=2; python_version < '3.11'",
#   'pip @ https://example.org/pip-24.0-py3-none-any.whl#sha256=ba0d021a166865d2265246961bec0152ff124de910c5cc39f1156ce3fa7c69dc',
#   "local @ ./local", "gitted @ git+https://example.org/a.git@v1",
# ]
# ///

print("hello")
