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

from tokenward.databricks.admission.rule import METHODS, Rule

GET = frozenset({"GET"})
POST = frozenset({"POST"})

SQL = (
    Rule("sql statements", POST, "/api/2.0/sql/statements"),
    Rule("sql statements", POST, "/api/2.0/sql/statements/"),  # as Databricks' examples with curl had it for long
    Rule("sql statement", GET, "/api/2.0/sql/statements/*"),
    Rule("sql cancel", POST, "/api/2.0/sql/statements/*/cancel"),
    Rule("sql results", GET, "/api/2.0/sql/statements/*/result/chunks/*"),
    Rule("sql sessions", POST, "/api/2.0/sql/sessions"),
    Rule("sql session", frozenset({"DELETE"}), "/api/2.0/sql/sessions/*"),
    Rule("sql warehouses", GET, "/api/2.0/sql/warehouses"),
    Rule("sql warehouse", GET, "/api/2.0/sql/warehouses/*"),
    Rule("thrift warehouse", POST, "/sql/1.0/warehouses/*"),
    Rule("thrift endpoint", POST, "/sql/1.0/endpoints/*"),
    Rule("thrift cluster", POST, "/sql/protocolv1/o/*/*"),
)
"""Statement execution, and the SQL drivers. Not in it: starting, stopping and changing warehouses, queries and dashboards that
are saved. Large results come as links to cloud storage, which clients fetch by themselves, without a token and not through here.
`thrift cluster` runs SQL on an all-purpose cluster, too."""

SERVING = (
    Rule("serving query", POST, "/serving-endpoints/*/invocations"),
    Rule("serving query of a model", POST, "/serving-endpoints/*/served-models/*/invocations"),
    Rule("serving chat", POST, "/serving-endpoints/chat/completions"),
    Rule("serving completions", POST, "/serving-endpoints/completions"),
    Rule("serving embeddings", POST, "/serving-endpoints/embeddings"),
    Rule("serving responses", POST, "/serving-endpoints/responses"),
    Rule("serving endpoints", GET, "/api/2.0/serving-endpoints"),
    Rule("serving endpoint", GET, "/api/2.0/serving-endpoints/*"),
    Rule("serving schema", GET, "/api/2.0/serving-endpoints/*/openapi"),
)
"""Queries, streaming or not; in the OpenAI form the body names the endpoint, which is not looked at here. Not in it: creating and
changing endpoints, their logs, and the AI gateway under /ai-gateway."""

FILES = (
    Rule("files", frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"}), "/api/2.0/fs/files/**"),
    Rule("directories", frozenset({"GET", "HEAD", "PUT", "DELETE"}), "/api/2.0/fs/directories/**"),
    Rule("upload parts", POST, "/api/2.0/fs/create-upload-part-urls"),
    Rule("resumable upload", POST, "/api/2.0/fs/create-resumable-upload-url"),
    Rule("abort upload", POST, "/api/2.0/fs/create-abort-upload-url"),
    Rule("download address", POST, "/api/2.0/fs/create-download-url"),
    Rule("transfer endpoints", GET, "/api/2.0/fs/endpoints"),
)
"""One upload may have 5 GiB. Presigned addresses lead past the gateway to cloud storage, and hold for a while without a token;
clients that get none use /api/2.0/fs/files."""

DBFS = (Rule("dbfs", frozenset({"GET", "POST"}), "/api/2.0/dbfs/*"),)
"""Every user of a workspace can read its DBFS root (docs.databricks.com, dbfs): give it only where it must be."""

JOBS = tuple(Rule(f"jobs {version}", frozenset({"GET", "POST"}), f"/api/{version}/jobs/**") for version in ("2.0", "2.1", "2.2"))
"""Jobs and runs: list, create, change, run, cancel, delete. Whoever may create a job runs code. Not in it: permissions."""

MCP = (Rule("mcp", frozenset({"GET", "POST", "DELETE"}), "/api/2.0/mcp/**"),)
"""Streamable HTTP: calls by POST, a stream of events by GET, the end of a session by DELETE."""

ME = (Rule("me", GET, "/api/2.0/preview/scim/v2/Me"),)
"""SCIM Me: the caller's own user or service principal, and in `X-Databricks-Org-Id` the workspace."""

ALL = (
    *(*SQL, *SERVING, *FILES, *DBFS, *JOBS, *MCP, *ME),
    Rule("api", METHODS, "/api/**", no_credentials=True),
    Rule("serving", METHODS, "/serving-endpoints/**"),
    Rule("thrift", POST, "/sql/1.0/**"),
    Rule("ai gateway", METHODS, "/ai-gateway/**"),
)
"""The APIs of a workspace. Not in it: the pages of the workspace and what they call (/login.html, /ajax-api, /sql/editor ...),
its token endpoint (/oidc), apps and notebooks' ports (/apps, /driver-proxy, /driver-proxy-api), the web terminal, /.well-known,
and the APIs that make or show credentials (`credential_paths`), for which give a Rule of your own.

That guards against accidents and short ways, and is no sandbox: clusters, jobs, commands, apps and notebooks run code, which can
do whatever the caller may, and what rights the caller grants to others (permissions, SCIM groups) is not looked at. Prefer
`sql`, `serving`, `files` and `me`, as far as they do."""

PRESETS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {"sql": SQL, "serving": SERVING, "files": FILES, "dbfs": DBFS, "jobs": JOBS, "mcp": MCP, "me": ME, "all": ALL}
)
