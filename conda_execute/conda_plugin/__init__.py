"""What conda asks of the plugin besides its subcommands: environment files and health checks."""
