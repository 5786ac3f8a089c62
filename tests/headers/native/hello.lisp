;; conda execute
;; env:
;;  - sbcl
;; run_with: sbcl --script
(print "hello")
