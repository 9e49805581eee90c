"""`tokenward gateway` and `tokenward forward-auth`: servers of their own, configured by a file, the environment, or both."""
