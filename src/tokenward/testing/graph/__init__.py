"""A stand-in for Microsoft Graph, as far as it tells of app registrations. NOT FOR PRODUCTION.

    from tokenward.testing.graph import GraphServer, LocalGraph

    graph = LocalGraph()
    graph.directory.register(CLIENT_ID, "my client")
    with GraphServer(graph) as server:
        ...  # ask server.url with graph.token("Application.Read.All"), and look at graph.requests

As a process: `python -m tokenward.testing.graph --help`.
"""

from tokenward.testing.graph.directory import Directory
from tokenward.testing.graph.graph import LocalGraph
from tokenward.testing.graph.server import GraphServer

__all__ = ["Directory", "GraphServer", "LocalGraph"]
