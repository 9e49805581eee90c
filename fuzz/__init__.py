"""A search for inputs that break tokenward: guided by coverage, and beside two other libraries. Run `scripts/fuzz`."""
