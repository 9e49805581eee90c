"""The demo: `python -m demo` from the repository's root, or `scripts/demo`, which installs what it needs first."""
