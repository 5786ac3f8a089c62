# /// conda-script
# channels = ["conda-forge"]
# [entrypoint]
# unix = "sh unix"
# osx = "sh osx"
# osx-arm64 = "sh osx-arm64"
# linux-aarch64 = "sh linux-aarch64"
# win = "sh win"
# /// end-conda-script
