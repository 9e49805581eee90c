"""A token explained: what it is, every check of the middleware on it, and what to change where."""
