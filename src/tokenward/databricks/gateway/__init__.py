"""The proxy in front of a workspace: what goes on of an admitted request, its place among those under way, and its way."""
