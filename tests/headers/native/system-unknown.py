# conda execute
# env: [python]
# system: {libc: "2.28"}
