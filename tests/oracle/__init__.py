"""conda as an oracle: what its own configuration object makes of the same files and variables."""
