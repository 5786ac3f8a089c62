"""condarc files, environment variables and channels, as conda reads them."""
