--- conda execute
--- env:
---  - ghc
--- run_with: runghc

main = putStrLn "hello"
