"""How long the upstream is waited for: a rule of one's own does not shorten by accident what the presets allow."""

from __future__ import annotations

import pytest

from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.presets import PRESETS
from tokenward.databricks.admission.rule import METHODS, Rule
from tokenward.databricks.admission.rules import allowed

LONG, ORDINARY = Patience(10.0, 310.0, 310.0), Patience(10.0, 120.0, 120.0)


@pytest.mark.parametrize(
    "pattern",
    [
        *("/serving-endpoints/llm/invocations", "/serving-endpoints/*/invocations", "/serving-endpoints/**"),
        *("/ai-gateway/**", "/ai-gateway/mlflow/v1/chat/completions", "/sql/1.0/warehouses/abc", "/sql/1.0/**"),
        *("/sql/protocolv1/o/1/*", "/api/2.0/fs/files/Volumes/main/**", "/api/2.0/fs/**", "/api/2.0/mcp/genie/*"),
        *("/api/2.0/mcp", "/api/*/mcp/**", "/api/*/fs/files/**"),
    ],
)
def test_a_rule_without_a_patience_has_the_long_one_where_the_presets_have_it(pattern: str) -> None:
    assert Rule("own", METHODS, pattern).patience == LONG
    assert Rule("own", METHODS, pattern, None).patience == LONG  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern",
    [
        *("/api/**", "/api/2.0/**", "/sql/**", "/sql/2.0/x", "/api/2.0/sql/statements", "/api/2.0/serving-endpoints/*"),
        *("/api/2.0/fsx/files", "/api/2.0/mcp-servers", "/api/2.1/mcp/x", "/x/serving-endpoints/llm", "/api/2.0/clusters/list"),
    ],
)
def test_elsewhere_and_where_it_is_wider_it_has_the_ordinary_one(pattern: str) -> None:
    assert Rule("own", METHODS, pattern).patience == ORDINARY


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_rule_of_ones_own_on_a_presets_very_pattern_waits_as_long(preset: str) -> None:
    for rule in PRESETS[preset]:
        assert Rule("own", rule.methods, rule.pattern).patience == rule.patience


def test_a_more_exact_rule_of_ones_own_does_not_shorten_a_query_to_a_model() -> None:
    own = Rule("my model", frozenset({"POST"}), "/serving-endpoints/llm/invocations")
    assert allowed("serving", own).match("POST", "/serving-endpoints/llm/invocations") is own
    assert own.patience == LONG


def test_a_patience_that_was_given_is_kept_though_it_is_shorter() -> None:
    assert Rule("own", METHODS, "/serving-endpoints/**", Patience()).patience == ORDINARY
    assert Rule("own", METHODS, "/serving-endpoints/**", Patience(first_byte=5)).patience == Patience(10.0, 5.0, 120.0)
