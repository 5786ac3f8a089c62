"""The vocabulary of requirements: match specs, versions, platforms, moments."""
