;; /// conda-script
;; channels = ["conda-forge"]
;; entrypoint = "sbcl --script ${SCRIPT}"
;; [dependencies]
;; sbcl = "*"
;; /// end-conda-script
