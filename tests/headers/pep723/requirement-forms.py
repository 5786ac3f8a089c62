# /// script
# dependencies = ["rich", "rich>=13", "rich >= 13 , < 15", "rich(>=13)", "rich[a, b] ~= 13.0", "rich[]", "a.b-c_d===1.0+local", "x ; python_version > '3'", "x@https://example.org/x.whl", "x[y] @ git+ssh://git@example.org/x", "./x", "../x[y]", "/x/y.whl", "https://example.org/x.whl", "git+https://example.org/x", "file:///x", "x==1.*", "x>=1,"]
# ///

print("hello")
