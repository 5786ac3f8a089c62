"""Lock files: which one decides a run, reading and writing them, and exports."""
