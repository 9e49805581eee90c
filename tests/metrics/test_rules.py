"""The alerts: every name, label and word in them is exposed, each has its section in the page, and each fires when it should.

Whether they fire is asked of Prometheus' own promtool, where it is installed (Debian: prometheus).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from tokenward.errors import CODES
from tokenward.keys.counts import Lookup
from tokenward.metrics.instruments import KEYS, REJECTIONS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "prometheus-rules.yaml"
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
RULES: dict[str, Any] = {
    rule["alert"]: rule for group in yaml.safe_load(FILE.read_text("utf-8"))["groups"] for rule in group["rules"]
}
LABELS = {each.exposed: set(each.labels) for each in (*KEYS, REJECTIONS)}
WORDS = {"outcome": set(get_args(Lookup)), "reason": {"private_key_published"}, "code": set(CODES)}
OF_PROMETHEUS = {"job", "instance"}


@pytest.mark.parametrize("alert", RULES)
def test_every_name_label_and_word_of_an_alert_is_exposed(alert: str) -> None:
    expression = RULES[alert]["expr"]
    names = re.findall(r"\btokenward_\w+", expression)
    assert names
    assert set(names) <= LABELS.keys()
    for name, matchers in re.findall(r"\b(tokenward_\w+)\{([^}]*)\}", expression):
        for label, words in re.findall(r'(\w+)\s*[!=]~?\s*"([^"]*)"', matchers):
            assert label in LABELS[name]
            assert set(words.split("|")) <= WORDS[label]
    grouped = {label.strip() for found in re.findall(r"(?:by|without) \(([^)]*)\)", expression) for label in found.split(",")}
    assert grouped <= set().union(*(LABELS[name] for name in names)) | OF_PROMETHEUS


@pytest.mark.parametrize("alert", RULES)
def test_every_alert_says_how_grave_it_is_and_leads_to_its_section(alert: str) -> None:
    rule = RULES[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["description"].endswith(f" See docs/metrics.md#{alert.lower()}")
    told = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    assert told <= set().union(*(LABELS[name] for name in re.findall(r"\btokenward_\w+", rule["expr"]))) | OF_PROMETHEUS


def test_the_page_has_a_section_for_each_alert_in_their_order() -> None:
    assert re.findall(r"^### (Tokenward\w+)$", PAGE, re.MULTILINE) == list(RULES)


# -- do they fire? -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def promtool() -> str:
    program = shutil.which("promtool", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/bin")))
    if program is None:
        missing = "promtool is not installed: apt install prometheus (Debian), brew install prometheus (macOS)"
        if "promtool" in os.environ.get("TOKENWARD_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    return program


@dataclass(frozen=True)
class Case:
    """Series of a value every so many minutes, and whether the alert fires at `hour`."""

    alert: str
    series: Mapping[str, str]
    fires: bool
    hour: float = 2
    minutes: int = 5


AT = '{source="https://idp.example/keys"}'
LEAKED = 'tokenward_keys_skipped_total{source="https://idp.example/keys",reason="private_key_published"}'
SMALL = 'tokenward_keys_skipped_total{source="https://idp.example/keys",reason="rsa_size"}'
LOOKUPS = 'tokenward_key_lookups_total{{source="https://idp.example/keys",outcome="{}"}}'
REJECTED = 'tokenward_rejections_total{{job="api",code="{}",status="401"}}'
CASES: dict[str, Case] = {
    "keys too old": Case(
        "TokenwardKeysOverdue",
        {f"tokenward_key_age_seconds{AT}": "7500+0x30", f"tokenward_key_refresh_interval_seconds{AT}": "3600+0x30"},
        True,
    ),
    "keys about to be fetched": Case(
        "TokenwardKeysOverdue",
        {f"tokenward_key_age_seconds{AT}": "3900+0x30", f"tokenward_key_refresh_interval_seconds{AT}": "3600+0x30"},
        False,
    ),
    "keys about to end, and fetches fail": Case(
        "TokenwardKeysExpiring",
        {f"tokenward_key_expiry_seconds{AT}": "20000+0x30", f"tokenward_key_fetch_failures{AT}": "9+0x30"},
        True,
    ),
    "keys about to end in an idle process": Case(
        "TokenwardKeysExpiring",
        {f"tokenward_key_expiry_seconds{AT}": "20000+0x30", f"tokenward_key_fetch_failures{AT}": "0+0x30"},
        False,
    ),
    "no keys, and fetches fail": Case(
        "TokenwardNoKeys", {f"tokenward_keys_usable{AT}": "0+0x30", f"tokenward_key_fetch_failures{AT}": "3+0x30"}, True
    ),
    "no keys, and nobody asked": Case(
        "TokenwardNoKeys", {f"tokenward_keys_usable{AT}": "0+0x30", f"tokenward_key_fetch_failures{AT}": "0+0x30"}, False
    ),
    "503 again and again": Case("TokenwardKeysUnavailable", {LOOKUPS.format("unavailable"): "0+6x150"}, True, minutes=1),
    "too many wait": Case("TokenwardKeysUnavailable", {LOOKUPS.format("waiters_full"): "0+6x150"}, True, minutes=1),
    "503 once, and unknown kids": Case(
        "TokenwardKeysUnavailable",
        {LOOKUPS.format("unavailable"): "7+0x150", LOOKUPS.format("unknown"): "0+6x150"},
        False,
        minutes=1,
    ),
    "many failures": Case("TokenwardFetchesFail", {f"tokenward_key_fetch_failures{AT}": "0+1x30"}, True),
    "two failures": Case("TokenwardFetchesFail", {f"tokenward_key_fetch_failures{AT}": "2+0x30"}, False),
    "a private key from the start": Case("TokenwardPrivateKeyPublished", {LEAKED: "1+0x10"}, True, 0.5),
    "a private key since an hour": Case("TokenwardPrivateKeyPublished", {LEAKED: "0+0x20 1+0x60"}, True, 3),
    "a private key that is gone": Case("TokenwardPrivateKeyPublished", {LEAKED: "1+0x80"}, False, 5),
    "another reason": Case("TokenwardPrivateKeyPublished", {LEAKED: "0+0x80", SMALL: "1+1x80"}, False, 5),
    "ten times": Case("TokenwardRejectionsJump", {REJECTED.format("token_expired"): "0+30x288 8640+300x30"}, True, 26),
    "none yesterday": Case("TokenwardRejectionsJump", {REJECTED.format("token_expired"): "0+0x288 0+300x30"}, True, 26),
    "as many as yesterday": Case("TokenwardRejectionsJump", {REJECTED.format("token_expired"): "0+100x330"}, False, 26),
    "ten times few": Case("TokenwardRejectionsJump", {REJECTED.format("token_expired"): "0+1x288 288+10x30"}, False, 26),
    "visitors": Case("TokenwardRejectionsJump", {REJECTED.format("missing_token"): "0+0x288 0+300x30"}, False, 26),
}


def test_every_alert_is_tried_both_ways() -> None:
    tried = {(case.alert, case.fires) for case in CASES.values()}
    assert tried == {(alert, fires) for alert in RULES for fires in (True, False)}


def test_prometheus_takes_the_file(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", str(FILE)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_not_else(name: str, promtool: str, tmp_path: Path) -> None:
    """Asked whether it is quiet, so that what the alert says need not be repeated here: a rule that fires fails that."""
    case = CASES[name]
    asked = {"eval_time": f"{case.hour * 60:.0f}m", "alertname": case.alert, "exp_alerts": []}
    series = [{"series": of, "values": values} for of, values in case.series.items()]
    test = {
        "rule_files": [str(FILE)],
        "tests": [{"interval": f"{case.minutes}m", "input_series": series, "alert_rule_test": [asked]}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test), "utf-8")
    command = [promtool, "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert ("SUCCESS" in said, f"alertname: {case.alert}" in said) == (not case.fires, case.fires), said
