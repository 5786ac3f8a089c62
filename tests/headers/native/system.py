# conda execute
# env: [python]
# system: {cuda: "12.4", glibc: "2.28"}
