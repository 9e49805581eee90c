"""What the preset `all` leaves out, held against every path that databricks-sdk for Python calls, and against disguises."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.databricks.admission.path import checked_target
from tokenward.databricks.admission.refusals import GatewayRefusal, PathNotAllowed
from tokenward.databricks.admission.rule import METHODS, Rule
from tokenward.databricks.admission.rules import allowed

READ_UP_TO = "0.156."
"""The version of databricks-sdk whose paths were read when EXPECTED was written; later ones may have more of them."""

EXPECTED = re.compile(
    "|".join(
        (
            r"/api/[^/]+/accounts/.*",
            r"/api/2\.0/preview/accounts/.*",
            r"/api/2\.0/identity/accounts/.*",
            r"/api/2\.0/identity/service-principals(/.*)?",
            r"/api/2\.0/preview/scim/v2/ServicePrincipals(/.*)?",
            r"/api/2\.0/token(-management)?/.*",
            r"/api/2\.0/permissions/authorization/(tokens|passwords)(/.*)?",
            r"/api/2\.0/secrets/.*",
            r"/api/2\.0/git-credentials(/.*)?",
            r"/api/2\.0/credentials-manager/.*",
            r"/api/2\.0/(database|postgres)/credentials",
            r"/api/2\.0/postgres/x/password",
            r"/api/2\.0/lakeview/dashboards/x/published/tokeninfo",
            r"/api/2\.0/data-sharing/recipients/.*",
            r"/api/2\.1/data-sharing/providers/.*",
            r"/api/2\.0/marketplace-provider/providers(/.*)?",
            r"/api/2\.1/marketplace-consumer/(installations|listings/x/installations(/x)?|providers(/x|:batchGet)?)",
            r"/api/2\.[01]/unity-catalog/(temporary|validate)-[a-z-]+",
            r"/api/2\.1/unity-catalog/((storage-)?credentials|secrets|recipients|providers)(/.*)?",
            r"/api/2\.1/unity-catalog/public/data_sharing_activation(_info)?/x",
            r"/api/2\.1/unity-catalog/x/user-credentials",
        )
    )
)
ALL = allowed("all")


def _is_refused(path: str) -> bool:
    """Whether no method at all may be used there."""
    for method in METHODS:
        try:
            ALL.match(method, path)
        except GatewayRefusal:
            continue
        return False
    return True


@pytest.fixture(scope="module")
def paths_of_the_sdk() -> set[str]:
    sdk: Any = pytest.importorskip("databricks.sdk")
    sources = Path(sdk.__file__).parent.glob("service/*.py")
    written = {path for source in sources for path in re.findall(r'"(/(?:api|serving-endpoints)/[^"\s]*)"', source.read_text())}
    paths = {re.sub(r"\{[^}]*\}", "x", path) for path in written}
    assert len(paths) > 500
    return paths


def test_all_leaves_out_every_path_of_the_sdk_that_makes_or_shows_credentials(paths_of_the_sdk: set[str]) -> None:
    expected = {path for path in paths_of_the_sdk if EXPECTED.fullmatch(path)}
    assert len(expected) > 100
    assert {path for path in expected if not _is_refused(path)} == set()


def test_all_leaves_out_no_other_path_of_the_sdk(paths_of_the_sdk: set[str]) -> None:
    if not version("databricks-sdk").startswith(READ_UP_TO):
        pytest.skip(f"the paths were read in databricks-sdk {READ_UP_TO}*")
    others = {path for path in paths_of_the_sdk if not EXPECTED.fullmatch(path)}
    assert len(others) > 500
    assert {path for path in others if _is_refused(path)} == set()


@pytest.mark.parametrize(
    "path",
    [
        *("/api/token/create", "/api/2.0/preview/token/create", "/api/2.1/TOKEN/list", "/api/2.0/token", "/api/2.0/token/"),
        *(
            "/api/2.0/preview/permissions/authorization/tokens",
            "/api/2.0/access-tokens",
            "/api/3.0/secrets:batchGet",
            "/api/token",
        ),
        *("/api/2.1/unity-catalog/temporary-model-version-credentials", "/api/2.0/accounts/a/federation-policies"),
    ],
)
def test_older_and_other_versions_of_these_paths_are_left_out_too(path: str) -> None:
    assert _is_refused(path)


DISGUISES = [
    pytest.param("/api/2.0/token%3Bx/create", id="a parameter"),
    pytest.param("/api/2.0/token%3B/create", id="an empty parameter"),
    pytest.param("/api/2.0/token./create", id="a dot behind it"),
    pytest.param("/api/2.0/token.../create", id="dots behind it"),
    pytest.param("/api/2.0/token%20/create", id="a space behind it"),
    pytest.param("/api/2.0/%20token/create", id="a space before it"),
    pytest.param("/api/2.0/token+/create", id="a space of forms behind it"),
    pytest.param("/api/2.0/token%C2%A0/create", id="a no-break space behind it"),
    pytest.param("/api/2.0/token%20.%20/create", id="dots and spaces"),
    pytest.param("/api/2.0/token%20%3Bx/create", id="a space and a parameter"),
    pytest.param("/api/2.0/token:x/create", id="a verb"),
    pytest.param("/api/2.0/token%3Fx/create", id="an escaped query"),
    pytest.param("/api/2.0/token%23x/create", id="an escaped fragment"),
    pytest.param("/api/2.0/to%E2%84%AAen/create", id="the Kelvin sign"),
    pytest.param("/api/2.0/token-management/toKen%C5%BF", id="a long s"),
    pytest.param("/api/2.1/unity-catalog/rec%C4%B1pients", id="an i without a dot"),
    pytest.param("/api/2.1/unity-catalog/rec%C4%B0pients", id="a capital i with a dot"),
    pytest.param("/api/2.0/%EF%BC%B4%EF%BC%AF%EF%BC%AB%EF%BC%A5%EF%BC%AE/create", id="letters of full width"),
    pytest.param("/api/2.0%EF%BC%8Ftoken%EF%BC%8Fcreate", id="slashes of full width"),
    pytest.param("/api/2.0%EF%BC%BCtoken%EF%BC%BCcreate", id="backslashes of full width"),
    pytest.param("/api/2.0/token%EF%BC%9Bx/create", id="a semicolon of full width"),
    pytest.param("/api/2.0/to%C2%ADken/create", id="a soft hyphen"),
    pytest.param("/api/2.0/to%E2%80%8Bken/create", id="a space of no width"),
    pytest.param("/api/2.0/toke%6E/create", id="an escaped letter"),
    pytest.param("/api/2.0/token%2520/create", id="a space that is escaped twice"),
    pytest.param("/api/2.0/to%25E2%2584%25AAen/create", id="the Kelvin sign, escaped twice"),
    pytest.param("/api/2.0/TOKEN%3BX/create", id="capitals and a parameter"),
    pytest.param("/api/2.1/unity-catalog/Temporary-Table-Credentials%20", id="the end of the path"),
]


@pytest.mark.parametrize("path", DISGUISES)
def test_what_all_leaves_out_is_left_out_in_disguise(path: str) -> None:
    assert _is_refused(checked_target(path.encode(), b"").path)


LOOK_ALIKES = {"k": "k\u212a\uff4b", "s": "s\u017f", "i": "i\u0131\u0130", "e": "e\uff25", "-": "-", "_": "_"}
SENSITIVE = [
    *("/api/2.0/token/create", "/api/2.0/secrets/get", "/api/2.1/unity-catalog/recipients/r/rotate-token"),
    *(
        "/api/2.0/database/credentials",
        "/api/2.0/accounts/a/scim/v2/Users",
        "/api/2.0/data-sharing/recipients/r/federation-policies",
    ),
]


@st.composite
def disguised(draw: st.DrawFn) -> str:
    """One of these paths with letters in any case, look-alikes, escapes, and something behind each segment."""
    letters = "".join(draw(st.sampled_from(LOOK_ALIKES.get(letter, letter))) for letter in draw(st.sampled_from(SENSITIVE)))
    cased = "".join(letter.upper() if draw(st.booleans()) else letter for letter in letters)
    segments = cased.split("/")[2:]
    ends = [draw(st.sampled_from(["", ".", " ", "..", " .", "\xa0", ";", ";a=b", ":x"])) for _ in segments]
    return "/api/" + "/".join(quote(segment + end, safe="") for segment, end in zip(segments, ends, strict=True))


@given(disguised())
def test_no_disguise_leads_past_all(path: str) -> None:
    try:
        target = checked_target(path.encode(), b"")
    except GatewayRefusal:
        return
    assert _is_refused(target.path)


@pytest.mark.parametrize(
    "path",
    [
        *("/api/2.0/tokens-of-something-else", "/api/2.0/mytoken", "/api/2.0/tokenizer/x", "/api/2.0/secretary"),
        *("/api/2.1/unity-catalog/tables/main.default.tokens", "/api/2.1/unity-catalog/tables/accounts.secrets.x"),
        *(
            "/api/2.1/unity-catalog/volumes/main.default.credentials",
            "/api/2.0/permissions/jobs/1",
            "/api/2.0/preview/scim/v2/Users",
        ),
        *("/api/2.0/mlflow/artifacts/credentials-for-read", "/api/2.0/fs/files/Volumes/main/default/secrets/token/accounts"),
        *("/api/2.2/jobs/runs/get", "/serving-endpoints/tokens/invocations", "/api/2.0/mcp/functions/accounts/secrets"),
        *("/api/2.0/workspace/caf%C3%A9", "/api/2.0/sql/statements/token"),
    ],
)
def test_what_only_resembles_these_paths_or_is_of_another_preset_is_held(path: str) -> None:
    assert not _is_refused(path)


def test_they_can_be_allowed_by_a_rule_of_ones_own_and_one_by_one() -> None:
    own = Rule("scopes", frozenset({"GET"}), "/api/2.0/secrets/scopes/list")
    rules = allowed("all", own)
    assert rules.match("GET", "/api/2.0/secrets/scopes/list") is own
    with pytest.raises(PathNotAllowed) as refused:
        rules.match("GET", "/api/2.0/secrets/get")
    assert refused.value.code == "path_not_allowed"
