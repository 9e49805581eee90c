"""The page in a real browser: what it tells of what was pasted, by mouse and by keyboard alone."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.acquisition.catalogue import entries
from tokenward.acquisition.diagnose import diagnose
from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.testing import ABSENT, LocalIssuer
from tokenward.troubleshoot.explanation.explain import explain

pytestmark = pytest.mark.servers

PAT = "dapi" + "0123456789abcdef" * 2
REFRESH = "0.A" + "RoAv4j5cvGGr0GRqy180BHbR" * 3
JWE = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.b2s.aXY.Y2lwaGVy.dGFn"
B2C_PAGE = "https://learn.microsoft.com/azure/active-directory-b2c/error-codes"


def _wrapped(token: str) -> str:
    return "\n".join(token[start : start + 76] for start in range(0, len(token), 76))


def _signed(claims: str) -> str:
    """A token that says exactly this text; its signature holds nowhere."""
    parts = ('{"alg":"RS256","kid":"k"}', claims, "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def _compared(inspected: Any, first: str, second: str) -> dict[str, str]:
    """Two tokens with these claims: the rows of what differs, by their names."""
    inspected.page.get_by_role("tab", name="Compare").click()
    inspected.paste("#first", _signed(first))
    inspected.paste("#second", _signed(second))
    return {row.locator("th").inner_text(): row.inner_text() for row in inspected.page.locator(".diff tbody tr").all()}


# -- the answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "verdict", "code"),
    [
        pytest.param({}, "Accepted", "", id="a good token"),
        pytest.param({"audience": DATABRICKS_RESOURCE}, "Refused", "audience_not_accepted", id="for another service"),
        pytest.param({"now": time.time() - 90000}, "Refused", "token_expired", id="ended yesterday"),
        pytest.param({"claims": {"tid": ABSENT}}, "Refused", "tenant_not_allowed", id="without a tenant"),
    ],
)
def test_the_answer_comes_first(inspected: Any, tenant: LocalIssuer, options: dict[str, Any], verdict: str, code: str) -> None:
    inspected.paste("#token", tenant.user_token(**options))
    assert inspected.verdict() == verdict
    answer = inspected.page.locator("#result > :first-child")
    assert code in answer.inner_text()
    assert (answer.locator("h3", has_text="What to change").count() == 1) == (verdict == "Refused")
    assert answer.locator("svg.mark").count() == 1


def test_what_to_change_is_the_libraries_own_advice(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.user_token(audience=DATABRICKS_RESOURCE))
    inspected.verdict()
    assert f"{tenant.client_id}/.default" in inspected.text(".change")


def test_every_check_of_the_report_is_on_the_page(inspected: Any, tenant: LocalIssuer) -> None:
    with inspected.page.expect_response("**/explain") as answered:
        inspected.paste("#token", tenant.user_token(audience="api://other"))
    checks = answered.value.json()["checks"]
    inspected.verdict()
    inspected.page.locator("summary", has_text="hold").click()
    shown = inspected.page.locator(".checks li").all()
    assert len(shown) == len(checks) > 10
    texts = [item.inner_text() for item in shown]
    assert [check["check"] for check in checks if not any(check["check"] in text for text in texts)] == []
    assert sum("fails" in text for text in texts) == sum(check["verdict"] == "failed" for check in checks) > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(False, "Signature verified", id="held"),
        pytest.param(True, "Signature does not hold", id="altered"),
    ],
)
def test_the_state_of_the_signature_is_said(inspected: Any, tenant: LocalIssuer, changed: bool, said: str) -> None:
    signed, _, signature = tenant.user_token().rpartition(".")
    altered = signature[:-9] + ("A" if signature[-9] != "A" else "B") + signature[-8:]
    inspected.paste("#token", f"{signed}.{altered if changed else signature}")
    inspected.verdict()
    assert said in inspected.text("#result .facts")


# -- what was pasted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("around", "note"),
    [
        pytest.param(lambda token: f"Bearer {token}", "Bearer", id="Bearer"),
        pytest.param(lambda token: f"Authorization: Bearer {token}\r\n", "Bearer", id="a whole header"),
        pytest.param(lambda token: f'  "{token}"\n', "", id="quotes"),
        pytest.param(lambda token: json.dumps({"token_type": "Bearer", "access_token": token}), "access_token", id="an answer"),
        pytest.param(lambda token: json.dumps({"id_token": "x", "result": {"accessToken": token}}), "accessToken", id="nested"),
        pytest.param(_wrapped, "line breaks", id="broken into lines"),
        pytest.param(lambda token: f"curl -H 'authorization: bearer {token}' https://x.example", "in the text", id="a command"),
    ],
)
def test_a_token_is_found_in_what_people_paste(
    inspected: Any, tenant: LocalIssuer, around: Callable[[str], str], note: str
) -> None:
    inspected.paste("#token", around(tenant.user_token()))
    assert inspected.verdict() == "Accepted"
    assert note in inspected.text("#result .answer")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(PAT, "personal access token", id="a PAT"),
        pytest.param(f"Bearer {PAT}", "personal access token", id="a PAT in a header"),
        pytest.param(REFRESH, "refresh token", id="a refresh token of Entra"),
        pytest.param(JWE, "JWE", id="an encrypted token"),
        pytest.param("gho_16C7e42F292c6912E7710c838347Ae178B4a", "opaque token", id="an opaque token"),
        pytest.param("there is none", "No token was found", id="no token"),
    ],
)
def test_what_is_no_jwt_is_named_and_sent_nowhere(inspected: Any, text: str, said: str) -> None:
    inspected.hold_time()
    inspected.paste("#token", text)
    assert said in inspected.text("#result .verdict")
    inspected.page.locator("#check").click()
    inspected.let_pass(10)
    assert inspected.sent() == []


def test_a_token_is_sent_to_this_machine_by_itself(inspected: Any, tenant: LocalIssuer) -> None:
    """Without it the tests that nothing is sent could not fail."""
    inspected.hold_time()
    inspected.paste("#token", tenant.user_token())
    assert inspected.sent() == []
    inspected.let_pass(10)
    assert len(inspected.sent()) == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("{user}", "entra_user_token", id="a token"),
        pytest.param("Proxy-Authorization: Bearer {user}", "entra_user_token", id="a header for a proxy"),
        pytest.param('{{"access_token": "{user}", "id_token": "{id}"}}', "entra_user_token", id="an answer"),
        pytest.param('{{"id_token": "{id}", "accessToken": "{user}"}}', "entra_user_token", id="MSAL's answer"),
        pytest.param('{{"idToken": "{id}", "tokenType": "Bearer"}}', "id_token", id="idToken"),
        pytest.param('{{"idToken": "{id}", "token": "{user}"}}', "entra_user_token", id="token before idToken"),
        pytest.param('{{"subject_token": "{id}", "assertion": "{user}"}}', "entra_user_token", id="a request"),
        pytest.param('{{"id_token": "{id}", "r": [{{"access_token": "{user}"}}]}}', "entra_user_token", id="nested"),
        pytest.param('{{"access_token": "0a1b2c", "id_token": "{id}"}}', "opaque", id="an opaque access token"),
        pytest.param('{{"headers": {{"authorization": "Bearer {user}"}}}}', "entra_user_token", id="a request as JSON"),
        pytest.param("12:01 WARN refused Bearer {user} for /jobs", "entra_user_token", id="a log line"),
        pytest.param("curl -H 'authorization: bearer {user}' https://x.example", "entra_user_token", id="a command"),
        pytest.param("https://x.example/#id_token={id}&state=1", "id_token", id="an address"),
        pytest.param("{user}&state=1", "entra_user_token", id="the end of an address"),
        pytest.param("TOKEN={user}", "entra_user_token", id="a variable"),
        pytest.param("access_token={user}&token_type=Bearer", "entra_user_token", id="a form"),
        pytest.param("Bearer%20{user}", "entra_user_token", id="an encoded header"),
        pytest.param("({user})", "entra_user_token", id="brackets"),
        pytest.param("\u201c{user}\u201d", "entra_user_token", id="curly quotation marks"),
        pytest.param("\u00a0{user}\u00a0\n\u200b", "entra_user_token", id="what nobody sees around it"),
        pytest.param("{wrapped}", "entra_user_token", id="broken into lines"),
        pytest.param("{quoted}", "entra_user_token", id="broken into lines that a mail quotes"),
        pytest.param("{user}\n{id}", "entra_user_token", id="two tokens"),
        pytest.param("{user}=", "entra_user_token", id="padding after the signature"),
        pytest.param("{user} expired", "entra_user_token", id="a word after it"),
        pytest.param("{unsigned}", "entra_user_token", id="without its signature"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.eyJpc3M.x", "damaged_jwt", id="a cut JWT"),
        pytest.param("{cut}", "damaged_jwt", id="a JWT that ends in its claims"),
        pytest.param("eyJhbGciOiJSUzI...", "damaged_jwt", id="a JWT as logs shorten it"),
        pytest.param("eyJhbGciOiJSUzI\u2026", "damaged_jwt", id="a JWT as a screen shortens it"),
        pytest.param("www.example.com", "damaged_jwt", id="three words with dots"),
        pytest.param("10.0.0.1.5", "opaque", id="five words with dots"),
        pytest.param(JWE, "encrypted_token", id="a JWE"),
        pytest.param(f"Bearer {JWE}", "encrypted_token", id="a JWE in a header"),
        pytest.param(f"refused: {JWE} for /jobs", "encrypted_token", id="a JWE in a log line"),
        pytest.param(PAT, "databricks_pat", id="a PAT"),
        pytest.param(f"Bearer {PAT.upper().replace('DAPI', 'dapi')}", "databricks_pat", id="a PAT in upper case"),
        pytest.param(REFRESH, "entra_refresh_token", id="a refresh token"),
        pytest.param("0.ARwA6WgJJ9X2qkxxxxxxxxxxxx", "entra_refresh_token", id="a short refresh token"),
        pytest.param("Basic dXNlcjpwYXNz", "basic_credentials", id="basic credentials"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "pem", id="PEM"),
        pytest.param("AADSTS65001: The user has not consented", "error_text", id="an error of Entra's"),
        pytest.param('{{"error": "invalid_grant"}}', "json", id="JSON without a token"),
        pytest.param('[{{"error": "invalid_grant"}}]', "several_words", id="a list"),
        pytest.param("there is none", "several_words", id="words"),
        pytest.param("hello", "opaque", id="a word"),
        pytest.param("gho_16C7e42F292c6912E7710c838347Ae178B4a", "opaque", id="an opaque token"),
    ],
)
def test_what_was_pasted_is_for_the_page_what_it_is_for_explain(
    inspected: Any, tenant: LocalIssuer, text: str, kind: str
) -> None:
    user, of_id = tenant.user_token(), tenant.id_token()
    damaged = {"unsigned": user.rpartition(".")[0], "cut": user[:400]}
    wrapped = {"wrapped": _wrapped(user), "quoted": "> " + _wrapped(user).replace("\n", "\n> ")}
    pasted = text.format(user=user, id=of_id, **wrapped, **damaged)
    inspected.paste("#token", pasted)
    if inspected.page.locator("#result [data-what]").count():
        told = inspected.page.locator("#result [data-what]").get_attribute("data-what")
    else:
        inspected.verdict()
        told = inspected.sent()[-1].response().json()["what"]["kind"]
    assert told == kind
    assert explain(pasted).what.kind == kind


@pytest.mark.parametrize(
    ("text", "several"),
    [
        pytest.param("Bearer {user}, Bearer {id}", True, id="two in one header"),
        pytest.param("{user}\n{id}", True, id="one in each line"),
        pytest.param('{{"access_token": "{user} {id}"}}', True, id="two in one member"),
        pytest.param("curl -H 'authorization: bearer {user}' # {user}", False, id="the same one twice"),
        pytest.param("12:01 WARN refused Bearer {user} for /jobs", False, id="one in a log line"),
    ],
)
def test_the_other_tokens_of_a_text_are_mentioned(inspected: Any, tenant: LocalIssuer, text: str, several: bool) -> None:
    pasted = text.format(user=tenant.user_token(), id=tenant.id_token())
    inspected.paste("#token", pasted)
    assert inspected.verdict() == "Accepted"
    assert ("several tokens" in inspected.text("#result .answer")) == several
    assert any("several tokens" in note for note in explain(pasted).notes) == several
    inspected.page.get_by_role("tab", name="Compare").click()
    inspected.paste("#first", pasted)
    inspected.paste("#second", tenant.user_token())
    assert ("several tokens" in inspected.text("#compare-status")) == several


def test_an_error_in_the_tokens_box_leads_to_its_explanation(inspected: Any) -> None:
    inspected.paste("#token", '{"error":"invalid_grant","error_description":"AADSTS65001: consent"}')
    inspected.page.get_by_role("button", name="Look it up").click()
    assert "AADSTS65001" in inspected.text("#explanations")


def test_a_long_text_without_a_token_is_read_at_once(inspected: Any) -> None:
    """The suite's patience ends; a text that is read again from each of its letters takes longer than that."""
    inspected.paste("#token", "a" * 1_000_000 + ".")
    assert "No token" in inspected.text("#result .verdict") or "opaque" in inspected.text("#result .verdict")


# -- claims and times --------------------------------------------------------------------------------------------------


def test_every_claim_and_header_member_is_shown_with_its_meaning_and_source(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.guest_token("1.0"))
    inspected.verdict()
    rows = inspected.page.locator(".members > div").all()
    assert len(rows) > 25
    for row in rows:
        assert row.locator(".meaning").inner_text().strip()
        assert row.locator(".meaning a").get_attribute("href").startswith("https://")
    assert inspected.page.get_by_text("Not in the glossary.").count() == 0


@pytest.mark.parametrize(
    ("claims", "shown", "said"),
    [
        pytest.param('{"oid":9007199254740993}', ["9007199254740993"], "cannot tell exactly", id="a number beyond 2^53"),
        pytest.param('{"oid":0.10000000000000000001}', ["0.10000000000000000001"], "cannot tell exactly", id="many decimals"),
        pytest.param('{"oid":1e400}', ["1e400"], "cannot tell exactly", id="no number of a browser's"),
        pytest.param('{"oid":{"a":[9007199254740993]}}', ['{"a":[9007199254740993]}'], "cannot tell exactly", id="inside"),
        pytest.param('{"oid":"first","oid":"second"}', ['"first"', '"second"'], "Repeated", id="a repeated member"),
        pytest.param('{"oid":"first","\\u006fid":"second"}', ['"first"', '"second"'], "Repeated", id="in another spelling"),
        pytest.param('{"oid":{"a":1,"a":2}}', ['{"a":1,"a":2}'], "is repeated", id="a repeated member inside"),
        pytest.param('{"oid":[{"a":1},{"a":2}],"a":"\\"a\\":"}', ["{", "}"], "", id="the same name in two objects"),
        pytest.param('{"oid":100000000000000000000000}', ["1e+23"], "", id="a long number that is exact"),
        pytest.param('{"oid":-1.50E1}', ["-15"], "", id="an exact number in another spelling"),
    ],
)
def test_what_was_signed_is_shown_as_it_was_written(inspected: Any, claims: str, shown: list[str], said: str) -> None:
    inspected.paste("#token", _signed(claims))
    assert inspected.verdict() == "Refused"
    row = (
        inspected.page.locator(".members > div", has=inspected.page.locator("dt", has_text="oid")).locator(".value").inner_text()
    )
    assert all(text in row for text in shown)
    assert said in row
    assert said or ("cannot tell" not in row and "epeated" not in row)
    assert inspected.page.locator("section", has_text="Claims").locator("details pre").first.text_content() == claims


def test_what_a_claim_hides_is_made_visible(inspected: Any, tenant: LocalIssuer) -> None:
    hidden = "ada\u202e\u200b\x00<b>example</b>"
    inspected.paste("#token", tenant.user_token(claims={"name": hidden, "made_up": {"deep": [1, {"a": "<script>"}]}}))
    inspected.verdict()
    row = inspected.page.locator(".members > div", has_text="ada\\u{")
    assert "ada\\u{202e}\\u{200b}\\u{0}<b>example</b>" in row.locator(".value").inner_text()
    assert inspected.page.locator("#result b, #result script").count() == 0
    assert "Not in the glossary." in inspected.page.locator(".members > div", has_text="made_up").inner_text()


def test_well_known_ids_are_named(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.databricks_token())
    inspected.verdict()
    assert "Azure Databricks" in inspected.page.locator(".members > div", has_text="aud").first.inner_text()


def test_times_are_told_in_local_time_and_drawn(opening: Any, site: Any, tenant: LocalIssuer) -> None:
    inspected = opening(f"{site.url}/", timezone_id="Asia/Kolkata", locale="en-GB")
    started = int(time.time()) - 600
    inspected.paste("#token", tenant.user_token(now=started))
    inspected.verdict()
    told = inspected.text(".times")
    assert inspected.page.evaluate("(at) => new Date(at * 1000).toLocaleTimeString('en-GB')", started) in told
    assert "10 min" in told
    assert "Asia/Calcutta" in inspected.text("section:has(> .line)") or "Asia/Kolkata" in inspected.text("section:has(> .line)")
    label = inspected.page.locator("svg.timeline").get_attribute("aria-label")
    assert label is not None
    assert "left of 1 h" in label


@pytest.mark.parametrize("later", [pytest.param("nbf", id="valid later"), pytest.param("iat", id="issued later")])
def test_a_token_is_valid_from_the_later_of_its_beginnings(inspected: Any, tenant: LocalIssuer, later: str) -> None:
    """As the middleware has it."""
    now = int(time.time())
    times = {"nbf": now - 7200, "iat": now - 7200, "exp": now + 7200} | {later: now + 3600}
    inspected.paste("#token", tenant.user_token(claims=times))
    inspected.verdict()
    label = inspected.page.locator("svg.timeline").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Valid for 1 h")
    assert "begins" in label


@pytest.mark.parametrize(
    ("times", "said"),
    [
        pytest.param({"exp": -7200}, "the token ends before it begins", id="before it begins"),
        pytest.param({"nbf": 0, "iat": 0, "exp": 0}, "the token ends when it begins", id="at once"),
        pytest.param({"nbf": ABSENT, "iat": ABSENT}, "the token names no beginning.", id="no beginning"),
        pytest.param({"exp": ABSENT}, "the token names no end", id="no end"),
    ],
)
def test_why_no_line_is_drawn_is_said(inspected: Any, tenant: LocalIssuer, times: dict[str, Any], said: str) -> None:
    now = int(time.time())
    claims = {name: value if value is ABSENT else now + value for name, value in times.items()}
    inspected.paste("#token", tenant.user_token(claims=claims))
    inspected.verdict()
    assert said in inspected.text(".line")


def test_times_in_checks_are_told_as_in_the_times(opening: Any, site: Any, tenant: LocalIssuer) -> None:
    inspected = opening(f"{site.url}/", timezone_id="Asia/Kolkata", locale="en-GB")
    ended = int(time.time()) - 90000
    with inspected.page.expect_response("**/explain") as answered:
        inspected.paste("#token", tenant.user_token(claims={"exp": ended}))
    inspected.verdict()
    inspected.page.locator("summary", has_text="hold").click()
    for check in answered.value.json()["checks"]:
        if check["check"] not in ("exp", "nbf", "iat"):
            continue
        row = inspected.page.locator(".checks li", has=inspected.page.locator(f"strong:text-is('{check['check']}')"))
        expected, seen = row.locator("dd").all_inner_texts()
        words, at = check["expected"].partition(" (")[0].rsplit(" ", 1)
        told = "(at) => new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'medium'}).format(new Date(at * 1000))"
        assert expected == f"{words} {inspected.page.evaluate(told, int(at))} {at}"
        assert seen == f"{inspected.page.evaluate(told, check['seen'])} {check['seen']}"


def test_time_goes_on_while_the_page_is_open(opening: Any, site: Any, tenant: LocalIssuer) -> None:
    inspected = opening(f"{site.url}/")
    inspected.paste("#token", tenant.user_token(lifetime=3000))
    inspected.verdict()
    relative = inspected.page.locator(".times [data-at]").last
    before = relative.inner_text()
    inspected.page.wait_for_function(
        "(before) => [...document.querySelectorAll('.times [data-at]')].at(-1).textContent !== before", arg=before
    )


# -- two tokens, and errors --------------------------------------------------------------------------------------------


def test_two_tokens_are_compared_member_by_member(inspected: Any, tenant: LocalIssuer) -> None:
    started = time.time()
    first = tenant.user_token(scopes=["jobs.read"], now=started, claims={"uti": "u", "aio": "a", "rh": "r"})
    second = tenant.user_token(
        scopes=["jobs.read", "jobs.write"],
        now=started + 60,
        claims={"uti": "u", "aio": "a", "rh": "r", "acct": 1, "name": ABSENT},
    )
    before = len(inspected.requests)
    inspected.page.get_by_role("tab", name="Compare").click()
    inspected.paste("#first", first)
    inspected.paste("#second", f"Bearer {second}")
    rows = {row.locator("th").inner_text(): row.inner_text() for row in inspected.page.locator(".diff tbody tr").all()}
    assert set(rows) == {"scp", "iat", "nbf", "exp", "acct", "name"}
    assert "+ jobs.write" in rows["scp"]
    assert "1 min later" in rows["exp"]
    assert "added" in rows["acct"]
    assert "gone" in rows["name"]
    assert "6 differences" in inspected.text("#comparison .verdict")
    assert len(inspected.requests) == before


def test_swapping_two_tokens_swaps_what_is_added_and_what_is_gone(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.page.get_by_role("tab", name="Compare").click()
    inspected.paste("#first", tenant.user_token())
    inspected.paste("#second", tenant.user_token(claims={"acct": 0}))
    assert "added" in inspected.page.locator(".diff tr", has_text="acct").inner_text()
    inspected.page.get_by_role("button", name="Swap").click()
    assert "gone" in inspected.page.locator(".diff tr", has_text="acct").inner_text()


def test_the_same_token_twice_does_not_differ(inspected: Any, tenant: LocalIssuer) -> None:
    token = tenant.user_token()
    inspected.page.get_by_role("tab", name="Compare").click()
    for box in ("#first", "#second"):
        inspected.paste(box, token)
    assert "No difference" in inspected.text("#comparison .verdict")


@pytest.mark.parametrize(
    ("first", "second", "differing"),
    [
        pytest.param('{"oid":9007199254740993}', '{"oid":9007199254740992}', {"oid"}, id="numbers beyond 2^53"),
        pytest.param('{"sub":"a","sub":"b"}', '{"sub":"b"}', {"sub"}, id="a repeated member"),
        pytest.param('{"sub":"a","sub":"b"}', '{"sub":"a","sub":"b"}', set(), id="the same one repeated in both"),
        pytest.param('{"a":{"b":1,"b":2}}', '{"a":{"b":3,"b":2}}', {"a"}, id="a repeated member inside"),
    ],
)
def test_tokens_are_compared_by_what_was_signed(inspected: Any, first: str, second: str, differing: set[str]) -> None:
    rows = _compared(inspected, first, second)
    assert set(rows) == differing
    assert all("numbers or repeated members that a browser cannot tell apart" in row for row in rows.values())
    assert ("No difference" in inspected.text("#comparison .verdict")) == (not differing)


@pytest.mark.parametrize(
    ("second", "spelled"),
    [
        pytest.param('{"sub":"a","n":1}', False, id="the same text"),
        pytest.param('{"n":1, "sub":"a"}', True, id="another order"),
        pytest.param('{"sub":"a","n":1.0}', True, id="another spelling"),
    ],
)
def test_texts_that_differ_although_nothing_else_does_are_mentioned(inspected: Any, second: str, spelled: bool) -> None:
    assert _compared(inspected, '{"sub":"a","n":1}', second) == {}
    answer = inspected.text("#comparison .answer")
    assert "No difference" in answer
    assert ("Only the texts differ" in answer) == spelled


@pytest.mark.parametrize("name", ["constructor", "toString", "__proto__", "hasOwnProperty"])
def test_members_named_as_what_objects_inherit_are_members_as_others(inspected: Any, name: str) -> None:
    claim = f'{{"{name}":["x","y"],"scp":"x"}}'
    rows = _compared(inspected, '{"scp":"x"}', claim)
    assert set(rows) == {name}
    assert "added" in rows[name]
    assert "not there" in rows[name]
    rows = _compared(inspected, claim, '{"scp":"x"}')
    assert "gone" in rows[name]
    assert _compared(inspected, claim, claim) == {}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param("AADSTS65001", ["AADSTS65001"], id="a code"),
        pytest.param("50011", ["AADSTS50011"], id="a number alone"),
        pytest.param("error_codes: [65001]", ["AADSTS65001"], id="a list of numbers"),
        pytest.param("AADSTS7000215: Invalid client secret", ["AADSTS7000215"], id="a code that begins like another"),
        pytest.param(
            '{"error":"invalid_grant","error_codes":[50076]}', ["AADSTS50076", "invalid_grant"], id="telling ones first"
        ),
        pytest.param("AADSTS99999999", ["AADSTS99999999"], id="an unknown code"),
        pytest.param("audience_not_accepted", ["audience_not_accepted"], id="a code of tokenward's own"),
        pytest.param("TOKEN_AUDIENCE_INVALID (Token audience 'x' invalid)", ["databricks_audience_invalid"], id="a text"),
        pytest.param("error code: 50011", ["AADSTS50011"], id="in words"),
        pytest.param("Error Code: 65001", ["AADSTS65001"], id="in words with capitals"),
        pytest.param('{"error_code":50011}', ["AADSTS50011"], id="a member"),
        pytest.param('"error_code":"50011"', ["AADSTS50011"], id="a piece of JSON"),
        pytest.param("error code: 1045", [], id="a number of another system"),
        pytest.param("AADSTS 65001", ["AADSTS65001"], id="with a space"),
        pytest.param("aadsts#50000", ["AADSTS50000"], id="with a sign"),
        pytest.param("AADB2C90118: forgot", ["AADB2C90118"], id="of B2C"),
        pytest.param("aadb2c90118", ["AADB2C90118"], id="of B2C in lower case"),
        pytest.param("x-ms-clitelem: 1,50076,0,,", ["AADSTS50076"], id="a header"),
        pytest.param("<b>AADSTS</b>65001", ["AADSTS65001"], id="a page"),
        pytest.param("INVALID_GRANT", ["invalid_grant"], id="a word in capitals"),
        pytest.param("invalid_grants my-invalid_grant", [], id="words that hold one"),
        pytest.param("all is well", [], id="no error"),
    ],
)
def test_errors_are_looked_up_in_the_page_as_the_library_does(inspected: Any, text: str, codes: list[str]) -> None:
    before = len(inspected.requests)
    inspected.page.get_by_role("tab", name="Look up", exact=True).click()
    inspected.paste("#error", text)
    assert [card.inner_text() for card in inspected.page.locator("#explanations .verdict strong").all()] == codes
    assert [found.code for found in diagnose(text)] == codes
    assert len(inspected.requests) == before


def test_of_several_causes_the_first_step_is_told_as_the_command_tells_it(inspected: Any) -> None:
    inspected.page.get_by_role("tab", name="Look up", exact=True).click()
    found = {len(entry.causes) > 1: code for code, entry in entries().items()}
    assert set(found) == {True, False}
    for code in found.values():
        causes = entries()[code].causes
        inspected.paste("#error", code)
        card = inspected.page.locator("#explanations section", has=inspected.page.locator(f"strong:text-is('{code}')"))
        told = [line.text_content() for line in card.first.locator(".next").all()]
        assert told == ([f"Do first: {causes[0].who}: {causes[0].steps[0]}"] if len(causes) > 1 else []), code


@pytest.mark.parametrize(
    ("code", "page"),
    [
        pytest.param("AADSTS99999999", "https://login.microsoftonline.com/error?code=99999999", id="of Entra"),
        pytest.param("AADB2C99999", B2C_PAGE, id="of B2C"),
    ],
)
def test_an_unknown_code_leads_to_microsofts_page(inspected: Any, code: str, page: str) -> None:
    inspected.page.get_by_role("tab", name="Look up", exact=True).click()
    inspected.paste("#error", code)
    assert inspected.page.locator("#explanations a").get_attribute("href") == page
    assert [found.look_up for found in diagnose(code)] == [page]


# -- the keyboard ------------------------------------------------------------------------------------------------------


def test_everything_is_reached_by_the_keyboard_alone(inspected: Any, tenant: LocalIssuer) -> None:
    keyboard = inspected.page.keyboard

    def focused() -> str:
        found: str = inspected.page.evaluate("() => document.activeElement.id || document.activeElement.className")
        return found

    keyboard.press("Tab")
    assert focused() == "skip"
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert focused() == "token"
    keyboard.insert_text(tenant.user_token())
    keyboard.press("Control+Enter")
    assert inspected.verdict() == "Accepted"
    keyboard.press("Tab")
    assert focused() == "check"
    keyboard.press("Shift+Tab")
    keyboard.press("Shift+Tab")
    assert focused() == "tab-token"
    keyboard.press("ArrowRight")
    assert focused() == "tab-compare"
    assert inspected.page.locator("#first").is_visible()
    keyboard.press("End")
    assert focused() == "tab-errors"
    keyboard.press("ArrowRight")
    assert focused() == "tab-token"


def test_the_keyboard_is_caught_nowhere(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.user_token())
    inspected.verdict()
    seen = []
    for _ in range(200):
        inspected.page.keyboard.press("Tab")
        seen.append(inspected.page.evaluate("() => document.activeElement === document.body"))
        if seen[-1]:
            break
    assert seen[-1], "the focus never left the page"
    assert len(seen) > 20


def test_what_has_the_focus_is_seen(inspected: Any) -> None:
    for _ in range(6):
        inspected.page.keyboard.press("Tab")
        width = inspected.page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px"


def test_clearing_leaves_nothing(inspected: Any, tenant: LocalIssuer) -> None:
    inspected.paste("#token", tenant.user_token())
    inspected.verdict()
    inspected.page.locator("#clear").click()
    assert inspected.page.locator("#token").input_value() == ""
    assert inspected.text("#result") == inspected.text("#status") == ""
