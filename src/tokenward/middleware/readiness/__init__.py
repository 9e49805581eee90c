"""The address that load balancers ask whether this process can judge tokens: `asgi`, `wsgi` and `django` have one each."""
