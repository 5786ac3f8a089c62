"""The commands: words in, text and exit status out."""
