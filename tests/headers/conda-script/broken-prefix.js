// /// conda-script
// channels = ["conda-forge"]
//entrypoint = "node ${SCRIPT}"
// /// end-conda-script
