"""read_policies: the API's list answers, lists, single policies; JSON and YAML."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any

import pytest

from tokenward import PolicyError
from tokenward.databricks.federation import policy_text
from tokenward.databricks.federation.policies import FederationPolicy, IncompletePolicies, read_policies

ONE = {"oidc_policy": {"issuer": "https://idp.example/", "audiences": ["a"]}, "policy_id": "one"}
TWO = {"oidc_policy": {"issuer": "https://idp.example/", "audiences": ["b"], "subject": "s"}, "service_principal_id": 7}
needs_yaml = pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML is not installed")


@pytest.mark.parametrize(
    ("source", "count"),
    [
        pytest.param({"policies": [ONE, TWO]}, 2, id="the API's list"),
        pytest.param({"policies": [ONE], "next_page_token": ""}, 1, id="the last page"),
        pytest.param({}, 0, id="the API's answer for an account without policies"),
        pytest.param({"policies": None}, 0, id="null policies"),
        pytest.param([ONE, TWO], 2, id="a list"),
        pytest.param(ONE, 1, id="one policy"),
        pytest.param(ONE["oidc_policy"], 1, id="the inner fields"),
        pytest.param([], 0, id="an empty list"),
    ],
)
def test_every_form_is_read_as_object_text_and_bytes(source: Any, count: int) -> None:
    text = json.dumps(source, indent=1)
    assert len(read_policies(source)) == count
    assert read_policies(source) == read_policies(text) == read_policies(text.encode()) == read_policies("\ufeff" + text)


def test_a_list_that_goes_on_is_read_with_a_warning() -> None:
    with pytest.warns(IncompletePolicies, match="next_page_token") as caught:
        policies = read_policies({"policies": [ONE], "next_page_token": "more"})
    assert [policy.policy_id for policy in policies] == ["one"]
    assert caught[0].filename == __file__


def test_the_account_id_is_every_policys_default_audience() -> None:
    source = [{"issuer": "https://idp.example/"}, {"issuer": "https://idp.example/", "audiences": ["own"]}]
    assert [policy.audiences for policy in read_policies(source, account_id="acc-1")] == [("acc-1",), ("own",)]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        pytest.param('{"policies": [', "policies", id="broken JSON"),
        pytest.param('[1], "x": [2]', "policies", id="more than a list"),
        pytest.param("[] []", "policies", id="two lists"),
        pytest.param('{"policies": [], "policies": []}', "policies", id="a member named twice"),
        pytest.param("", "policies", id="empty"),
        pytest.param("  \n", "policies", id="white space"),
        pytest.param(b"\xff\xfe", "policies", id="not UTF-8"),
        pytest.param('{"error_code": 401}', "policies", id="an error answer"),
        pytest.param('{"policies": {}}', "policies", id="policies is an object"),
        pytest.param('{"policies": [], "next_page_token": 5}', "next_page_token", id="a page token that is a number"),
        pytest.param("[5]", "policies[0]", id="a number among the policies"),
        pytest.param(json.dumps([ONE, {"oidc_policy": {}}]), "policies[1].oidc_policy.issuer", id="the second has no issuer"),
        pytest.param(json.dumps(ONE | {"uid": 1}), "uid", id="one policy with a wrong type"),
        pytest.param(5, "policies", id="a number"),
        pytest.param(" " * (policy_text.MAX_DOCUMENT + 1), "policies", id="too long"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(source: Any, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policies(source)
    assert caught.value.field == field
    assert caught.value.fix


def test_without_pyyaml_json_is_read_and_yaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert len(read_policies(json.dumps(ONE))) == 1
    with pytest.raises(PolicyError) as caught:
        read_policies("issuer: https://idp.example/")
    assert "PyYAML" in caught.value.fix


YAML = """
# the GitHub workflow that deploys
oidc_policy:
  issuer: https://idp.example/
  audiences: [a]
  subject: "s"
create_time: 2026-01-02T03:04:05Z
service_principal_id: 7
description:
"""


@needs_yaml
def test_yaml_is_read_and_its_dates_stay_texts() -> None:
    (policy,) = read_policies(YAML)
    assert policy == FederationPolicy(
        "https://idp.example/", audiences=["a"], subject="s", create_time="2026-01-02T03:04:05Z", service_principal_id=7
    )


@needs_yaml
def test_a_file_of_several_yaml_documents_is_a_list() -> None:
    assert len(read_policies(f"{YAML}---{YAML}")) == 2
    assert (
        len(read_policies("- issuer: https://idp.example/\n  audiences: [a]\n- issuer: https://idp.example/\n  audiences: [b]\n"))
        == 2
    )


@needs_yaml
@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(
            "issuer: https://idp.example/\naudiences: [a]\nsubject: on", "subject", id="a word that YAML takes for true"
        ),
        pytest.param("issuer: https://a.example/\nissuer: https://b.example/", "policies", id="a member named twice"),
        pytest.param("? [a, b]\n: c", "policies", id="a key that is a list"),
        pytest.param("a: b: c", "policies", id="no YAML"),
        pytest.param("!!python/object/apply:os.system ['true']", "policies", id="a Python object"),
        pytest.param("just words", "policies", id="words"),
        pytest.param("- &a [*a]", "policies", id="a list in itself"),
        pytest.param("a: &b {issuer: x}\n<<: *b\nissuer: y", "policies", id="a merge"),
        pytest.param("description: !!int ''", "policies", id="a tag"),
        pytest.param(
            "\n".join(["l0: &l0 {a: 1}", *(f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}]}}" for n in range(1, 9))]),
            "policies",
            id="a bomb of merges",
        ),
        pytest.param("issuer: " + "1:" * 200_000 + "1", "policies", id="a number to base 60"),
        pytest.param("- " * 5000, "policies", id="nested deep"),
    ],
)
def test_bad_yaml_is_refused(text: str, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policies(text)
    assert caught.value.field == field


@needs_yaml
def test_what_yaml_would_take_for_a_number_or_a_date_stays_the_text_that_it_is() -> None:
    (policy,) = read_policies("issuer: https://idp.example/\naudiences: [12, 1:30, 2026-01-01]")
    assert policy.audiences == ("12", "1:30", "2026-01-01")


@needs_yaml
def test_the_line_of_a_mistake_is_named_and_its_text_is_not() -> None:
    with pytest.raises(PolicyError) as caught:
        read_policies("issuer: x\nsecret-word: [")
    assert "line" in str(caught.value)
    assert "secret-word" not in str(caught.value)
