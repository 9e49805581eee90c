"""The rules that have names. Sources of the paths: databricks-sdk-py (service/*.py, mixins/files.py, mixins/open_ai_client.py),
databricks-sql-python (backend/sea/backend.py, client.py), docs.databricks.com.

| preset  | what may be called                                                                            |
|---------|-----------------------------------------------------------------------------------------------|
| sql     | statements and their results, sessions, SQL warehouses (to read), Thrift of the SQL drivers   |
| serving | queries to serving endpoints, the OpenAI form too; endpoints (to read)                         |
| files   | files and directories of Unity Catalog volumes, presigned addresses of parts                  |
| dbfs    | the older DBFS                                                                                |
| jobs    | jobs and their runs                                                                           |
| mcp     | managed MCP servers                                                                           |
| me      | who the caller is                                                                             |
| all     | these, and the other APIs of a workspace; see ALL                                             |

Databricks' SDKs also want `me`, which no other preset but `all` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tokenward.databricks.gateway.rule import METHODS, Patience, Rule

QUICK = Patience()
"""Twice the time after which databricks-sdk-py gives up (_base_client.py: 60 s)."""
STATEMENTS = Patience(first_byte=120.0, idle=120.0)
"""`wait_timeout` is 50 s at most (service/sql.py); a chunk of a result can be 25 MiB."""
LONG = Patience(first_byte=310.0, idle=310.0)
"""Databricks itself ends a query to a model after 297 s (docs.databricks.com, model-serving-limits), and the gateway must not do
so earlier. Thrift polls, files and MCP tools have no published limit, and are given the same time."""

READ = frozenset({"GET", "HEAD"})
GET = frozenset({"GET"})
POST = frozenset({"POST"})

SQL = (
    Rule("sql statements", POST, "/api/2.0/sql/statements", STATEMENTS),
    Rule("sql statements", POST, "/api/2.0/sql/statements/", STATEMENTS),  # as Databricks' examples with curl had it for long
    Rule("sql statement", GET, "/api/2.0/sql/statements/*", STATEMENTS),
    Rule("sql cancel", POST, "/api/2.0/sql/statements/*/cancel", STATEMENTS),
    Rule("sql results", GET, "/api/2.0/sql/statements/*/result/chunks/*", STATEMENTS),
    Rule("sql sessions", POST, "/api/2.0/sql/sessions", STATEMENTS),
    Rule("sql session", frozenset({"DELETE"}), "/api/2.0/sql/sessions/*", STATEMENTS),
    Rule("sql warehouses", GET, "/api/2.0/sql/warehouses", QUICK),
    Rule("sql warehouse", GET, "/api/2.0/sql/warehouses/*", QUICK),
    Rule("thrift warehouse", POST, "/sql/1.0/warehouses/*", LONG),
    Rule("thrift endpoint", POST, "/sql/1.0/endpoints/*", LONG),
    Rule("thrift cluster", POST, "/sql/protocolv1/o/*/*", LONG),
)
"""Statement execution, and the SQL drivers. Not in it: starting, stopping and changing warehouses, queries and dashboards that
are saved. Large results come as links to cloud storage, which clients fetch by themselves, without a token and not through here.
`thrift cluster` runs SQL on an all-purpose cluster, too."""

SERVING = (
    Rule("serving query", POST, "/serving-endpoints/*/invocations", LONG),
    Rule("serving query of a model", POST, "/serving-endpoints/*/served-models/*/invocations", LONG),
    Rule("serving chat", POST, "/serving-endpoints/chat/completions", LONG),
    Rule("serving completions", POST, "/serving-endpoints/completions", LONG),
    Rule("serving embeddings", POST, "/serving-endpoints/embeddings", LONG),
    Rule("serving responses", POST, "/serving-endpoints/responses", LONG),
    Rule("serving endpoints", GET, "/api/2.0/serving-endpoints", QUICK),
    Rule("serving endpoint", GET, "/api/2.0/serving-endpoints/*", QUICK),
    Rule("serving schema", GET, "/api/2.0/serving-endpoints/*/openapi", QUICK),
)
"""Queries, streaming or not; in the OpenAI form the body names the endpoint, which is not looked at here. Not in it: creating and
changing endpoints, their logs, and the AI gateway under /ai-gateway."""

FILES = (
    Rule("files", frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"}), "/api/2.0/fs/files/**", LONG),
    Rule("directories", frozenset({"GET", "HEAD", "PUT", "DELETE"}), "/api/2.0/fs/directories/**", LONG),
    Rule("upload parts", POST, "/api/2.0/fs/create-upload-part-urls", QUICK),
    Rule("resumable upload", POST, "/api/2.0/fs/create-resumable-upload-url", QUICK),
    Rule("abort upload", POST, "/api/2.0/fs/create-abort-upload-url", QUICK),
    Rule("download address", POST, "/api/2.0/fs/create-download-url", QUICK),
    Rule("transfer endpoints", GET, "/api/2.0/fs/endpoints", QUICK),
)
"""One upload may have 5 GiB. Presigned addresses lead past the gateway to cloud storage, and hold for a while without a token;
clients that get none use /api/2.0/fs/files."""

DBFS = (Rule("dbfs", frozenset({"GET", "POST"}), "/api/2.0/dbfs/*", QUICK),)
"""Every user of a workspace can read its DBFS root (docs.databricks.com, dbfs): give it only where it must be."""

JOBS = tuple(
    Rule(f"jobs {version}", frozenset({"GET", "POST"}), f"/api/{version}/jobs/**", QUICK) for version in ("2.0", "2.1", "2.2")
)
"""Jobs and runs: list, create, change, run, cancel, delete. Whoever may create a job runs code. Not in it: permissions."""

MCP = (Rule("mcp", frozenset({"GET", "POST", "DELETE"}), "/api/2.0/mcp/**", LONG),)
"""Streamable HTTP: calls by POST, a stream of events by GET, the end of a session by DELETE."""

ME = (Rule("me", GET, "/api/2.0/preview/scim/v2/Me", QUICK),)
"""SCIM Me: the caller's own user or service principal, and in `X-Databricks-Org-Id` the workspace."""

LASTING = ("/api/*/token/**", "/api/*/token-management/**", "/api/*/accounts/**")
"""What makes credentials that outlive the caller's token, and work past the gateway: personal access tokens, and the account's
API with OAuth secrets of service principals and federation policies."""

ALL = (
    *(*SQL, *SERVING, *FILES, *DBFS, *JOBS, *MCP, *ME),
    Rule("api", METHODS, "/api/**", QUICK, but_not=LASTING),
    Rule("serving", METHODS, "/serving-endpoints/**", LONG),
    Rule("thrift", POST, "/sql/1.0/**", LONG),
    Rule("ai gateway", METHODS, "/ai-gateway/**", LONG),
)
"""The APIs of a workspace. Not in it: the pages of the workspace and what they call (/login.html, /ajax-api, /sql/editor ...),
its token endpoint (/oidc), apps and notebooks' ports (/apps, /driver-proxy, /driver-proxy-api), the web terminal, /.well-known,
and what makes lasting credentials (LASTING), for which give a Rule of your own."""

PRESETS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {"sql": SQL, "serving": SERVING, "files": FILES, "dbfs": DBFS, "jobs": JOBS, "mcp": MCP, "me": ME, "all": ALL}
)
