"""What each preset holds and what it does not, by calls that real clients make."""

from __future__ import annotations

import pytest

from tokenward.databricks.admission.presets import PRESETS
from tokenward.databricks.admission.refusals import GatewayRefusal, MethodNotAllowed, PathNotAllowed
from tokenward.databricks.admission.rule import METHODS, Rule
from tokenward.databricks.admission.rules import allowed

CALLS = [
    ("sql", "POST", "/api/2.0/sql/statements"),
    ("sql", "GET", "/api/2.0/sql/statements/01ef-1"),
    ("sql", "POST", "/api/2.0/sql/statements/01ef-1/cancel"),
    ("sql", "GET", "/api/2.0/sql/statements/01ef-1/result/chunks/3"),
    ("sql", "POST", "/api/2.0/sql/sessions"),
    ("sql", "DELETE", "/api/2.0/sql/sessions/01ef-1"),
    ("sql", "GET", "/api/2.0/sql/warehouses"),
    ("sql", "GET", "/api/2.0/sql/warehouses/abc"),
    ("sql", "POST", "/sql/1.0/warehouses/abc"),
    ("sql", "POST", "/sql/1.0/endpoints/abc"),
    ("sql", "POST", "/sql/protocolv1/o/123/0123-456-abc"),
    ("serving", "POST", "/serving-endpoints/llm/invocations"),
    ("serving", "POST", "/serving-endpoints/llm/served-models/m-1/invocations"),
    ("serving", "POST", "/serving-endpoints/chat/completions"),
    ("serving", "POST", "/serving-endpoints/embeddings"),
    ("serving", "GET", "/api/2.0/serving-endpoints"),
    ("serving", "GET", "/api/2.0/serving-endpoints/llm"),
    ("files", "PUT", "/api/2.0/fs/files/Volumes/main/default/v/a%20b.csv"),
    ("files", "GET", "/api/2.0/fs/files/Volumes/main/default/v/a.csv"),
    ("files", "HEAD", "/api/2.0/fs/files/Volumes/main/default/v/a.csv"),
    ("files", "DELETE", "/api/2.0/fs/files/Volumes/main/default/v/a.csv"),
    ("files", "POST", "/api/2.0/fs/files/Volumes/main/default/v/a.csv"),
    ("files", "GET", "/api/2.0/fs/directories/Volumes/main/default/v"),
    ("files", "POST", "/api/2.0/fs/create-upload-part-urls"),
    ("files", "POST", "/api/2.0/fs/create-download-url"),
    ("dbfs", "GET", "/api/2.0/dbfs/list"),
    ("dbfs", "POST", "/api/2.0/dbfs/add-block"),
    ("jobs", "POST", "/api/2.2/jobs/run-now"),
    ("jobs", "GET", "/api/2.1/jobs/runs/get"),
    ("jobs", "GET", "/api/2.0/jobs/list"),
    ("mcp", "POST", "/api/2.0/mcp/genie/01ef"),
    ("mcp", "GET", "/api/2.0/mcp/functions/main/default"),
    ("mcp", "DELETE", "/api/2.0/mcp/sql"),
    ("me", "GET", "/api/2.0/preview/scim/v2/Me"),
]


@pytest.mark.parametrize(("preset", "method", "path"), CALLS)
def test_a_preset_holds_the_calls_that_it_is_named_for(preset: str, method: str, path: str) -> None:
    assert method in allowed(preset).match(method, path).methods
    assert allowed("all").match(method, path) == allowed(preset).match(method, path)


@pytest.mark.parametrize("other", sorted(PRESETS.keys() - {"all"}))
@pytest.mark.parametrize(("preset", "method", "path"), CALLS)
def test_no_preset_holds_what_another_is_for(other: str, preset: str, method: str, path: str) -> None:
    if other == preset:
        return
    with pytest.raises(PathNotAllowed) as refused:
        allowed(other).match(method, path)
    assert refused.value.code == "path_not_allowed"


@pytest.mark.parametrize(
    ("preset", "method", "path"),
    [
        pytest.param("sql", "POST", "/api/2.0/sql/warehouses", id="make a warehouse"),
        pytest.param("sql", "DELETE", "/api/2.0/sql/warehouses/abc", id="delete a warehouse"),
        pytest.param("sql", "POST", "/api/2.0/sql/warehouses/abc/stop", id="stop a warehouse"),
        pytest.param("sql", "PUT", "/api/2.0/sql/config/warehouses", id="change all warehouses"),
        pytest.param("serving", "POST", "/api/2.0/serving-endpoints", id="make an endpoint"),
        pytest.param("serving", "PUT", "/api/2.0/serving-endpoints/llm/config", id="change an endpoint"),
        pytest.param("serving", "GET", "/serving-endpoints/llm/invocations", id="read a query"),
        pytest.param("serving", "POST", "/ai-gateway/x", id="the AI gateway"),
        pytest.param("files", "POST", "/api/2.0/fs/directories/Volumes/x", id="post to a directory"),
        pytest.param("files", "GET", "/api/2.0/fs", id="the beginning of files"),
        pytest.param("jobs", "GET", "/api/2.3/jobs/list", id="another version of jobs"),
        pytest.param("jobs", "PUT", "/api/2.0/permissions/jobs/1", id="permissions of a job"),
        pytest.param("me", "GET", "/api/2.0/preview/scim/v2/Users", id="all users"),
        pytest.param("me", "PATCH", "/api/2.0/preview/scim/v2/Me", id="change me"),
    ],
)
def test_a_preset_does_not_hold_more_than_its_calls(preset: str, method: str, path: str) -> None:
    with pytest.raises(GatewayRefusal) as refused:
        allowed(preset).match(method, path)
    assert refused.value.code in ("path_not_allowed", "method_not_allowed")


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/login.html",
            "/oidc/v1/token",
            "/oidc/oauth2/v2.0/authorize",
            "/ajax-api/2.0/jobs",
            "/sql/editor",
            "/sql",
            "/sql/2.0/x",
        ),
        *("/driver-proxy/o/1/c/8080/", "/driver-proxy-api/o/1/c/8080/", "/apps/x", "/?o=1", "/.well-known/openid-configuration"),
        *(
            "/api",
            "/api/2.0/token/create",
            "/api/2.0/token",
            "/api/2.1/TOKEN/list",
            "/api/2.0/token-management/on-behalf-of/tokens",
        )[1:],
        *(
            "/api/2.0/accounts/servicePrincipals/1/credentials/secrets",
            "/api/2.0/accounts/a-b/federationPolicies",
            "/apifoo",
            "/API/2.0",
        ),
    ],
)
def test_even_all_does_not_hold_pages_logins_apps_and_what_makes_lasting_credentials(method: str, path: str) -> None:
    with pytest.raises(PathNotAllowed) as refused:
        allowed("all").match(method, path)
    assert refused.value.code == "path_not_allowed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.1/clusters/list"),
        ("PATCH", "/api/2.1/unity-catalog/catalogs/main"),
        ("POST", "/api/1.2/commands/execute"),
        ("DELETE", "/api/2.0/sql/warehouses/abc"),
        ("GET", "/api/2.0/tokens-of-something-else"),
        ("POST", "/serving-endpoints/anthropic/v1/messages"),
        ("POST", "/ai-gateway/mlflow/v1/chat/completions"),
    ],
)
def test_all_holds_the_apis_of_a_workspace(method: str, path: str) -> None:
    assert method in allowed("all").match(method, path).methods


def test_lasting_credentials_can_be_allowed_by_a_rule_of_ones_own() -> None:
    own = Rule("tokens", frozenset({"GET"}), "/api/2.0/token/list")
    rules = allowed("all", own)
    assert rules.match("GET", "/api/2.0/token/list") is own
    with pytest.raises(MethodNotAllowed):
        rules.match("POST", "/api/2.0/token/list")
    with pytest.raises(PathNotAllowed):
        rules.match("POST", "/api/2.0/token/create")


@pytest.mark.parametrize(
    "path", ["/serving-endpoints/llm/invocations", "/serving-endpoints/chat/completions", "/api/2.0/mcp/sql"]
)
@pytest.mark.parametrize("presets", [("serving", "mcp"), ("all",), ("all", "serving", "mcp")])
def test_the_gateway_waits_longer_than_databricks_lets_a_model_take(path: str, presets: tuple[str, ...]) -> None:
    patience = allowed(*presets).match("POST", path).patience
    assert patience.first_byte is not None
    assert patience.idle is not None
    assert min(patience.first_byte, patience.idle) > 297


@pytest.mark.parametrize("method", ["OPTIONS", "CONNECT", "TRACE"])
def test_no_preset_names_a_method_that_must_not_go_on(method: str) -> None:
    assert all(method not in rule.methods for rules in PRESETS.values() for rule in rules)
