! /// conda-script
! channels = ["conda-forge"]
! entrypoint = "gfortran -o ${CACHE}/hello ${SCRIPT} && ${CACHE}/hello"
! [dependencies]
! gfortran = "*"
! /// end-conda-script
