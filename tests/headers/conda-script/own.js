// /// conda-script
// channels = ["conda-forge"]
// entrypoint = "node ${SCRIPT}"
// [dependencies]
// nodejs = "*"
// [tool.conda-execute]
// renew-after = "7"
// sandbox = true
// /// end-conda-script
