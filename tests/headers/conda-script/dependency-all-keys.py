# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { version = ">=1.3", build = "h_*", build-number = ">=3", channel = "conda-forge", subdir = "linux-64", md5 = "d41d8cd98f00b204e9800998ecf8427e", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
# /// end-conda-script
