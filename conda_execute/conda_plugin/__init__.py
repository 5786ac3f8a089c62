"""The plugin's hooks besides its subcommands: environment files and health checks."""
