// /// conda-script
// channels = ["conda-forge"]
// entrypoint = {
//   unix = "cc -o ${CACHE}/main ${SCRIPT} && ${CACHE}/main",
//   win = "cl /Fe:${CACHE}/main.exe ${SCRIPT} && ${CACHE}/main.exe",
// }
// /// end-conda-script
