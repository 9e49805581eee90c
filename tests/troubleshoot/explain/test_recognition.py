"""What was given is recognised, whatever it is, and taken out of what a person pastes around it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward.issuer_fields import NOT_ACCESS_TOKENS
from tokenward.testing import ABSENT, LocalIssuer, OidcIssuer
from tokenward.testing.claims import HOME_TENANT
from tokenward.troubleshoot.explanation.pasted import MEMBERS, token_in
from tokenward.troubleshoot.explanation.what import ASK_ACCESS, recognise_text

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("", "nothing", id="nothing"),
        pytest.param("dapi" + "0123456789abcdef" * 2, "databricks_pat", id="a PAT"),
        pytest.param("dapi" + "0123456789abcdef" * 2 + "-2", "databricks_pat", id="a PAT of a region with numbers"),
        pytest.param("0.ARwA6WgJJ9X2qk" + "x" * 200, "entra_refresh_token", id="a refresh token of Entra"),
        pytest.param("1.AVMA6WgJJ9X2qk" + "x" * 200 + ".AgABAwEAAAD" + "y" * 99, "entra_refresh_token", id="a newer one"),
        pytest.param("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..b.c.d", "encrypted_token", id="a JWE"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.eyJpc3M.x", "damaged_jwt", id="a cut JWT"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.eyJpc3M", "damaged_jwt", id="a JWT that ends in its claims"),
        pytest.param("eyJhbGciOiJSUzI", "damaged_jwt", id="a JWT that ends in its header"),
        pytest.param("eyJhbGciOiJSUzI...", "damaged_jwt", id="a JWT as logs shorten it"),
        pytest.param("Bearer eyJhbGciOiJSUzI\u2026", "damaged_jwt", id="a header as a screen shortens it"),
        pytest.param("Basic dXNlcjpwYXNz", "basic_credentials", id="basic credentials"),
        pytest.param("-----BEGIN PRIVATE KEY-----", "pem", id="a key"),
        pytest.param("AADSTS65001: The user has not consented", "error_text", id="an error of Entra"),
        pytest.param('{"error": "invalid_grant"}', "json", id="JSON without a token"),
        pytest.param("there is none", "several_words", id="words"),
        pytest.param("3f2a8c", "opaque", id="something opaque"),
    ],
)
def test_what_is_no_jwt_is_told_apart(explained: Any, text: str, kind: str) -> None:
    report = explained(text)
    assert (report.what.kind, report.verdict, report.code) == (kind, "refused", "malformed_token")
    assert report.next == report.what.advice != ""
    assert report.fingerprint is None


@pytest.mark.parametrize(
    ("mint", "kind", "words"),
    [
        pytest.param(lambda i: i.user_token(), "entra_user_token", "version 2.0", id="a user's, v2"),
        pytest.param(lambda i: i.user_token("1.0"), "entra_user_token", "version 1.0", id="a user's, v1"),
        pytest.param(lambda i: i.app_token(), "entra_app_token", "app-only", id="an application's"),
        pytest.param(lambda i: i.guest_token(), "entra_user_token", "guest", id="a guest's"),
        pytest.param(lambda i: i.app_token(roles=[], claims={"idtyp": ABSENT}), "entra_access_token", "probably", id="nobody's"),
        pytest.param(lambda i: i.databricks_token(), "entra_user_token", "for Azure Databricks", id="for Azure Databricks"),
        pytest.param(
            lambda i: i.user_token("1.0", audience="https://management.azure.com/"),
            *("entra_user_token", "for Azure Resource Manager"),
            id="for Resource Manager",
        ),
        pytest.param(lambda i: i.id_token(), "id_token", "of Entra", id="an ID token"),
        pytest.param(lambda i: i.id_token(claims={"nonce": ABSENT}), "id_token", "of Entra", id="an ID token without nonce"),
        pytest.param(lambda i: i.user_token("1.0", header={"nonce": "n"}), "microsoft_token", "own", id="a nonce in the header"),
        pytest.param(
            lambda i: i.user_token("1.0", audience="https://graph.microsoft.com/"), "graph_token", "Graph", id="Graph's audience"
        ),
        pytest.param(
            lambda i: i.user_token("1.0", audience="00000003-0000-0000-c000-000000000000"),
            "graph_token",
            "Graph",
            id="Graph's id",
        ),
        pytest.param(
            lambda i: i.user_token(claims={"iss": f"https://contoso.b2clogin.com/{TENANT}/v2.0/"}), "b2c_token", "B2C", id="B2C"
        ),
        pytest.param(
            lambda i: i.user_token(claims={"iss": f"https://login.contoso.example/tfp/{TENANT}/b2c_1_in/v2.0/"}),
            *("b2c_token", "B2C"),
            id="B2C with a user flow",
        ),
        pytest.param(
            lambda i: i.user_token(claims={"iss": f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"}),
            *("ciam_token", "External ID"),
            id="External ID",
        ),
        pytest.param(
            lambda i: i.user_token(claims={"iss": f"https://login.microsoftonline.us/{TENANT}/v2.0"}),
            *("entra_user_token", "US Government cloud"),
            id="another cloud",
        ),
        pytest.param(
            lambda i: i.mint({"iss": "https://adb-1.2.azuredatabricks.net/oidc", "sub": "a", "aud": "1"}),
            *("databricks_token", "Databricks itself"),
            id="of Databricks",
        ),
        pytest.param(
            lambda i: i.mint({"iss": "https://idp.example/", "typ": "Refresh"}), "refresh_token", "refresh", id="Keycloak's"
        ),
        pytest.param(lambda i: i.mint({"iss": "https://idp.example/"}), "jwt", "not Entra", id="any JWT"),
        pytest.param(
            lambda i: OidcIssuer("https://idp.example/").access_token(),
            "access_token",
            "RFC 9068",
            id="an access token by RFC 9068",
        ),
        pytest.param(lambda i: i.user_token(header={"alg": "none"}, algorithm="none"), "unsigned_jwt", "none", id="unsigned"),
    ],
)
def test_jwts_are_told_apart(explained: Any, issuer: LocalIssuer, mint: Any, kind: str, words: str) -> None:
    what = explained(mint(issuer)).what
    assert what.kind == kind
    assert words in what.sentence
    assert TENANT not in what.sentence + what.advice
    assert HOME_TENANT not in what.sentence


@pytest.mark.parametrize(
    ("around", "told"),
    [
        pytest.param("{}", "", id="alone"),
        pytest.param("  {}\r\n", "", id="white space"),
        pytest.param("Bearer {}", "header", id="with its scheme"),
        pytest.param("Authorization: Bearer {}", "header", id="a whole header"),
        pytest.param("authorization:bearer   {}", "header", id="a header in lower case"),
        pytest.param('"{}"', "quotation", id="quoted"),
        pytest.param("'Authorization: Bearer {}'", "header", id="a quoted header, as for curl -H"),
        pytest.param('{{"token_type": "Bearer", "access_token": "{}"}}', "access_token", id="a token endpoint's answer"),
        pytest.param('{{"expiresOn": "x", "accessToken": "{}"}}', "accessToken", id="the Azure CLI's answer"),
        pytest.param('{{"id_token": "x", "result": [{{"accessToken": "{}"}}]}}', "accessToken", id="a wrapped answer"),
        pytest.param('{{"headers": {{"authorization": "Bearer {}"}}}}', "in the text", id="a request as JSON"),
        pytest.param("12:01 WARN refused Bearer {} for /jobs", "in the text", id="a log line"),
        pytest.param("https://x.example/#access_token={}&state=1", "in the text", id="an address"),
        pytest.param("x.example/callback?jwt={}", "in the text", id="an address without its scheme"),
        pytest.param("{}&state=1", "in the text", id="the end of an address"),
        pytest.param("TOKEN={}", "in the text", id="a variable"),
        pytest.param("access_token={}&token_type=Bearer", "in the text", id="a form"),
        pytest.param("Authorization:{}", "in the text", id="a header without its scheme"),
        pytest.param("Bearer%20{}", "in the text", id="an encoded header"),
        pytest.param("({})", "in the text", id="brackets"),
        pytest.param("\u201c{}\u201d", "in the text", id="curly quotation marks"),
        pytest.param("> {}", "in the text", id="a line that a mail quotes"),
        pytest.param("\u00a0{}\u00a0\n\u200b", "", id="what nobody sees"),
    ],
)
def test_the_token_is_taken_out_of_what_is_pasted(explained: Any, issuer: LocalIssuer, around: str, told: str) -> None:
    token = issuer.user_token()
    report = explained(around.format(token))
    assert report.accepted
    assert [told in note for note in report.notes] == ([True] if told else [])
    assert token_in(around.format(token)).token == token.encode()


@pytest.mark.parametrize(
    ("before", "between"),
    [
        pytest.param("Bearer ", "\r\n  ", id="a header"),
        pytest.param("> ", "\n> ", id="a quoted mail"),
        pytest.param(">> ", "\n>> ", id="a mail that is quoted twice"),
    ],
)
def test_a_token_that_was_broken_into_lines_is_put_together(
    explained: Any, issuer: LocalIssuer, before: str, between: str
) -> None:
    token = issuer.user_token()
    report = explained(before + between.join(token[start : start + 76] for start in range(0, len(token), 76)))
    assert report.accepted
    assert any("line breaks" in note for note in report.notes)


def test_of_a_cut_token_the_fix_and_the_next_step_say_the_same(bench: Any, issuer: LocalIssuer) -> None:
    report = bench.explain(issuer.user_token()[:400])
    assert (report.what.kind, report.what.sentence.endswith("it was cut, or is none.")) == ("damaged_jwt", True)
    assert ["it is cut" in bench.check(report, "form").finding.fix, "Copy it again as a whole" in report.next] == [True, True]


@pytest.mark.parametrize("members", [MEMBERS[place:] for place in range(len(MEMBERS))], ids=MEMBERS)
def test_of_several_members_the_first_by_its_name_is_taken(members: tuple[str, ...]) -> None:
    given = json.dumps({name: f"the {name}" for name in reversed(members)})
    assert token_in(given).token == f"the {members[0]}".encode()


@pytest.mark.parametrize(
    "damage", [pytest.param("{}=", id="padding"), pytest.param("{}+/", id="base64"), pytest.param("{}.", id="a dot")]
)
def test_a_damaged_token_is_judged_as_it_was_sent(explained: Any, issuer: LocalIssuer, damage: str) -> None:
    token = damage.format(issuer.user_token())
    assert token_in(token).token == token.encode()
    assert explained(token).code == "malformed_token"


def test_an_answer_with_both_gives_the_access_token(issuer: LocalIssuer) -> None:
    answer = json.dumps({"id_token": issuer.id_token(), "access_token": "the access token"})
    assert token_in(answer).token == b"the access token"


def test_no_advice_names_a_flow_that_hands_a_secret_to_somebody() -> None:
    assert "never send it to an API" in recognise_text(b"0.ARwA" + b"x" * 100).advice


MARKS = [(name, value) for name, values in NOT_ACCESS_TOKENS.items() for value in values]


@pytest.mark.parametrize(("name", "value"), [pytest.param(*mark, id=" ".join(mark)) for mark in MARKS])
@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
def test_what_the_middleware_knows_for_no_access_token_is_not_called_one(explained: Any, typ: str, name: str, value: str) -> None:
    token = OidcIssuer("https://idp.example/").access_token(claims={name: value}, header={"typ": typ})
    what = explained(token).what
    kinds = {"Refresh": "refresh_token", "Offline": "refresh_token", "Logout": "logout_token"}
    assert (what.kind, what.advice) == (kinds.get(value, "id_token"), ASK_ACCESS)
