"""The catalogue is complete, sourced and marked, and nothing that is not so can be read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from importlib.resources import files
from typing import Any

import pytest

from tokenward.acquisition.catalogue import KINDS, MARKS, RETRIES, WHO, Entry, entries, read_catalogue
from tokenward.databricks.admission import refusals
from tokenward.databricks.on_behalf_of.aadsts import explain
from tokenward.errors import CODES
from tokenward.hints import hint_for
from tokenward.redaction import MAX_TEXT, shown
from tokenward.web.facts import facts

ENTRIES = list(entries().values())
OAUTH = {
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"),
    *("access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable"),
    *("authorization_pending", "slow_down", "expired_token", "interaction_required", "login_required", "consent_required"),
    *("account_selection_required", "invalid_target", "invalid_token", "insufficient_scope"),
    *("insufficient_claims", "invalid_resource"),
}


def _words(code: str) -> str:
    entry = entries()[code]
    return " ".join(f"{cause.cause} {' '.join(cause.steps)} {' '.join(cause.commands)}" for cause in entry.causes)


def test_at_least_150_codes_of_entra_are_explained() -> None:
    assert sum(entry.kind == "aadsts" for entry in ENTRIES) >= 150
    assert all(re.fullmatch(r"AADSTS[1-9]\d{3,7}", entry.code) for entry in ENTRIES if entry.kind == "aadsts")


def test_the_error_values_of_the_standards_are_explained() -> None:
    assert {entry.code for entry in ENTRIES if entry.kind in ("oauth", "tokenward")} >= OAUTH


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.code for entry in ENTRIES])
def test_each_entry_has_causes_steps_a_source_and_a_mark(entry: Entry) -> None:
    assert entry.kind in KINDS
    assert entry.retry in RETRIES
    assert entry.mark in MARKS
    assert set(entry.who) <= WHO
    assert entry.source.startswith("docs/gateway.md#" if entry.kind == "gateway" else "https://")
    assert all(cause.steps for cause in entry.causes)
    texts = [entry.meaning, *(text for cause in entry.causes for text in (cause.cause, *cause.steps))]
    assert all(text.isascii() and text.endswith(".") and "|" not in text for text in texts)
    assert all(command.isascii() and command.strip() == command for cause in entry.causes for command in cause.commands)


def test_only_codes_that_others_speak_of_are_marked_as_inferred() -> None:
    official = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
    assert {entry.mark for entry in ENTRIES if entry.source == official} == {"verified"}
    assert {entry.code for entry in ENTRIES if entry.mark == "inferred"} >= {"AADSTS5000224", "AADSTS530003", "AADSTS392200"}


COMMANDS = [
    (entry.code, command)
    for entry in ENTRIES
    for command in (*(each for cause in entry.causes for each in cause.commands), *([entry.tell] if entry.tell else []))
    if command.split()[0] in ("az", "tokenward", "curl", "databricks")
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_every_command_can_be_read_by_a_shell() -> None:
    script = "\n".join(command for _, command in COMMANDS)
    ran = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_no_shell_puts_a_variable_in_place_of_a_commands_text() -> None:
    assert [(code, command) for code, command in COMMANDS if re.search(r'"[^"]*\$[a-zA-Z]', command)] == []


REPLACES = re.compile(r"-redirect-uris |knownClientApplications=")


def test_a_command_that_replaces_a_list_says_so() -> None:
    replacing = [command for _, command in COMMANDS if REPLACES.search(command)]
    assert len(replacing) == 3
    assert [command for command in replacing if not command.endswith("  # it replaces the list: name all")] == []


@pytest.mark.parametrize("code", ["AADSTS50000", "AADSTS65001", "AADSTS50011", "AADSTS500011", "AADSTS7000222", "AADSTS50105"])
def test_where_the_registration_shows_the_cause_doctor_is_named(code: str) -> None:
    assert str(entries()[code].tell).startswith("tokenward doctor --tenant TENANT_ID --client-id CLIENT_ID")


def test_a_single_tenant_application_is_not_opened_first_and_not_without_a_warning() -> None:
    first, second = entries()["AADSTS50194"].causes
    assert "AzureADMultipleOrgs" not in " ".join(first.commands)
    assert "every other tenant" in second.steps[0]


def test_a_loop_of_requests_is_not_to_be_retried() -> None:
    assert entries()["AADSTS50196"].retry == "after_fix"


def test_no_command_passes_a_secret_as_an_argument() -> None:
    commands = " ".join(command for entry in ENTRIES for cause in entry.causes for command in cause.commands)
    assert re.search(r"--(password|client-secret|secret|token)\b(?!-)", commands) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(0, ("password", "hybrid", "revoked", "Reset"), id="the password is expired, wrong or out of step"),
        pytest.param(1, ("on-behalf-of", "client_id", "missing"), id="a parameter is missing or wrong"),
        pytest.param(2, ("device code", "Enterprise applications", "az ad sp create"), id="consent"),
        pytest.param(3, ("symmetric", "keyCredentials", "usage=='Sign'", "az ad sp", "az ad app"), id="a symmetric signing key"),
        pytest.param(4, ("application permissions only", "/.default", "delegated", "User.Read"), id="no delegated permission"),
    ],
)
def test_aadsts50000_has_its_five_root_causes_in_order(number: int, words: tuple[str, ...]) -> None:
    cause = entries()["AADSTS50000"].causes[number]
    text = " ".join((cause.cause, *cause.steps, *cause.commands))
    assert [word for word in words if word not in text] == []
    assert cause.commands


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            "AADSTS65001",
            ("AzureDatabricks", "user_impersonation", "Grant admin consent", "interactively", "knownClientApplications"),
            id="not consented",
        ),
        pytest.param("AADSTS50011", ("redirect_uri", "slash", "az ad app update", "X-Forwarded-Proto"), id="redirect URI"),
    ],
)
def test_the_two_common_refusals_have_their_causes_and_steps(code: str, words: tuple[str, ...]) -> None:
    assert [word for word in words if word not in _words(code)] == []
    assert len(entries()[code].causes) >= 4


def test_what_on_behalf_of_says_of_a_number_is_the_catalogues_hint() -> None:
    assert [entry.code for entry in ENTRIES if entry.kind == "aadsts" and explain(int(entry.code[6:])) != entry.hint] == []
    assert explain(1) is None


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.code for entry in ENTRIES])
def test_what_an_event_tells_of_an_entry_is_shown_whole(entry: Entry) -> None:
    for text in (entry.hint, entry.meaning, entry.causes[0].steps[0]):
        assert len(text) <= MAX_TEXT
        assert shown(text) == text


BEGINNING = re.compile(r"[,;:(.]| (?:as|before|until|that|where|by) ")
"""Behind it there may be a noun to point at; what comes before stands alone."""
POINTS = re.compile(
    r"\b(?:it|them|they)\b|\b(?:one|of the three)$|^[\w-]+(?: (?:at|for|from|in|with))? (?:its|both|all three|these|those|such)\b"
)


def _points_at_nothing(step: str) -> bool:
    return POINTS.search(BEGINNING.split(step, maxsplit=1)[0]) is not None


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.code for entry in ENTRIES])
def test_a_first_step_can_be_read_without_its_cause(entry: Entry) -> None:
    assert [cause.steps[0] for cause in entry.causes if _points_at_nothing(cause.steps[0])] == []


@pytest.mark.parametrize(
    "step",
    [
        *(
            "Create it.",
            "Upload it.",
            "Add it: App registrations.",
            "Form-encode it once.",
            "Do not require it, or of users only.",
        ),
        *(
            "Set both to the client id.",
            "Check both (see AADSTS700016).",
            "Compare all three with the token.",
            "Check its set-up.",
        ),
        *("Configure one.", "Use one of the three.", "Register from such a place.", "Exclude them from the policy."),
        *("Make a new one, or wait.", "Sign in interactively and register one."),
    ],
)
def test_a_step_that_points_at_nothing_is_noticed(step: str) -> None:
    assert _points_at_nothing(step)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.general], ids=lambda entry: entry.code)
def test_a_general_error_has_causes_of_several_people(entry: Entry) -> None:
    assert len(entry.who) > 1


def test_every_code_of_the_gateway_is_explained_with_its_own_hint_and_status() -> None:
    told = {entry.code: (entry.hint, entry.status) for entry in ENTRIES if entry.kind == "gateway"}
    assert told == {code: (refusal.hint, refusal.status) for code, refusal in refusals.CODES.items()}


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_of_tokenward_is_explained_with_its_own_hint_and_oauth_error(code: str) -> None:
    entry = entries()[code]
    assert entry.kind == "tokenward"
    assert entry.hint == hint_for(code, None, None, None)
    assert list(entry.errors) == ([CODES[code].error] if CODES[code].error else [])


def test_no_other_entry_is_taken_for_a_code_of_tokenward() -> None:
    assert {entry.code for entry in ENTRIES if entry.kind == "tokenward"} == set(CODES)


def test_each_text_of_databricks_has_a_few_words_for_a_log() -> None:
    assert [entry.code for entry in ENTRIES if entry.kind == "databricks" and not entry.name] == []


@pytest.mark.parametrize(
    "import_", [pytest.param("tokenward", id="the package"), pytest.param("tokenward.databricks", id="what may need it later")]
)
def test_an_import_does_not_read_the_catalogue(import_: str) -> None:
    opened = "seen = []; sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == 'open' else None)"
    script = f"import sys; {opened}; import {import_}; print([name for name in seen if name.endswith('.json')])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_an_entry_as_json_holds_what_it_explains() -> None:
    entry = entries()["path_not_allowed"]
    told = json.loads(json.dumps(entry.to_json()))
    names = ("code", "kind", "name", "meaning", "hint", "errors", "retry", "source", "mark", "tell")
    assert {name: told.pop(name) for name in names} == {name: getattr(entry, name) for name in names}
    assert told.pop("who") == list(entry.who)
    assert told.pop("causes") == [json.loads(json.dumps(asdict(cause))) for cause in entry.causes]
    assert told == {}


def test_the_inspectors_page_is_served_the_same_explanation_and_words() -> None:
    served = json.loads(json.dumps(facts(None)["errors"]))
    assert [(each["code"], each["trying_again"]) for each in served] == [(entry.code, RETRIES[entry.retry]) for entry in ENTRIES]
    for each, entry in zip(served, ENTRIES, strict=True):
        explained = json.loads(json.dumps(entry.to_json()))
        assert {name: each[name] for name in explained} == explained
        assert (each["match"], each["only_with"]) == (list(entry.match), list(entry.only_with))


def test_the_catalogue_cannot_be_changed() -> None:
    entry = entries()["AADSTS65001"]
    with pytest.raises(TypeError):
        entries()["AADSTS65001"] = entry  # type: ignore[index]
    with pytest.raises(TypeError):
        entry.errors["invalid_grant"] = "verified"  # type: ignore[index]
    with pytest.raises(AttributeError):
        entry.meaning = "another"  # type: ignore[misc]


def _first() -> dict[str, Any]:
    document = json.loads(files("tokenward.acquisition").joinpath("catalogue.json").read_text("utf-8"))
    entry: dict[str, Any] = document["entries"][0]
    return entry


def _changed(**members: object) -> bytes:
    return json.dumps({"entries": [{**_first(), **members}]}).encode()


def test_an_entry_as_it_should_be_is_read() -> None:
    assert list(read_catalogue(_changed())) == [_first()["code"]]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no entries"),
        pytest.param(b'{"entries": [1]}', id="an entry that is no object"),
        pytest.param(json.dumps({"entries": [_first(), _first()]}).encode(), id="a code twice"),
        pytest.param(_changed(extra=1), id="a member that nobody reads"),
        pytest.param(_changed(code=" "), id="no code"),
        pytest.param(_changed(meaning=""), id="no meaning"),
        pytest.param(_changed(kind="other"), id="another kind"),
        pytest.param(_changed(retry="maybe"), id="another word for retry"),
        pytest.param(_changed(mark="rumour"), id="another mark"),
        pytest.param(_changed(source="http://example.org"), id="a source without https"),
        pytest.param(_changed(source="docs/gateway.md"), id="a page of our own for what others answer"),
        pytest.param(_changed(general="yes"), id="general in a word"),
        pytest.param(_changed(status=400), id="a status where no answer is the gateway's"),
        pytest.param(_changed(kind="gateway", source="docs/gateway.md"), id="a code of the gateway without a status"),
        pytest.param(_changed(tell=" "), id="a command without a word"),
        pytest.param(_changed(errors=[]), id="errors that are no object"),
        pytest.param(_changed(errors={"invalid_grant": "perhaps"}), id="an error without a mark"),
        pytest.param(_changed(causes=[]), id="no cause"),
        pytest.param(_changed(causes=[{"cause": "a", "who": "user", "steps": [], "commands": []}]), id="no step"),
        pytest.param(_changed(causes=[{"cause": "a", "who": "nobody", "steps": ["b"], "commands": []}]), id="nobody acts"),
        pytest.param(_changed(causes=[{"cause": "a", "who": "user", "steps": "b", "commands": []}]), id="steps that are a text"),
    ],
)
def test_a_catalogue_that_is_not_as_it_should_be_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_catalogue(document)
