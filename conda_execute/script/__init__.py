"""What a script says: where it comes from, its header, and the program that runs it."""
