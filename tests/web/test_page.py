"""The page in a real browser: what it tells of what was pasted, by mouse and by keyboard alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.acquisition.diagnose import diagnose
from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.testing import ABSENT, LocalIssuer

pytestmark = pytest.mark.servers

PAT = "dapi" + "0123456789abcdef" * 2
REFRESH = "0.A" + "RoAv4j5cvGGr0GRqy180BHbR" * 3
JWE = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.b2s.aXY.Y2lwaGVy.dGFn"


def _wrapped(token: str) -> str:
    return "\n".join(token[start : start + 76] for start in range(0, len(token), 76))


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
        pytest.param("hello", "No token was found", id="no token"),
    ],
)
def test_what_is_no_jwt_is_named_and_sent_nowhere(inspected: Any, text: str, said: str) -> None:
    before = len(inspected.requests)
    inspected.paste("#token", text)
    assert said in inspected.text("#result .verdict")
    inspected.page.locator("#check").click()
    inspected.page.wait_for_timeout(400)  # longer than the pause after which a token would be sent
    assert len(inspected.requests) == before


def test_an_error_in_the_tokens_box_leads_to_its_explanation(inspected: Any) -> None:
    inspected.paste("#token", '{"error":"invalid_grant","error_description":"AADSTS65001: consent"}')
    inspected.page.get_by_role("button", name="Look it up").click()
    assert "AADSTS65001" in inspected.text("#explanations")


def test_a_long_text_without_a_token_is_read_at_once(inspected: Any) -> None:
    began = time.monotonic()
    inspected.paste("#token", "a" * 1_000_000 + ".")
    assert "No token" in inspected.text("#result .verdict") or "opaque" in inspected.text("#result .verdict")
    assert time.monotonic() - began < 10


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


def test_an_unknown_code_leads_to_microsofts_page(inspected: Any) -> None:
    inspected.page.get_by_role("tab", name="Look up", exact=True).click()
    inspected.paste("#error", "AADSTS99999999")
    link = inspected.page.locator("#explanations a").get_attribute("href")
    assert link == "https://login.microsoftonline.com/error?code=99999999"


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
