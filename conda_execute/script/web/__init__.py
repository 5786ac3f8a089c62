"""Scripts from the web: addresses, fetching, and which of them the user trusts."""
