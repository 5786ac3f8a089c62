"""What conda asks of the plugin beside its subcommands: environment files and health checks."""
