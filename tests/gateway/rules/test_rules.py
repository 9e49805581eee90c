"""Rules: what they hold, which one comes first, and which would be refused at construction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.refusals import MethodNotAllowed, PathNotAllowed
from tokenward.databricks.admission.rule import METHODS, Rule
from tokenward.databricks.admission.rules import Rules, allowed
from tokenward.errors import PolicyError

GET = frozenset({"GET"})


def _rules(*patterns: str) -> Rules:
    return Rules([Rule(pattern, GET, pattern) for pattern in patterns])


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        pytest.param("/a", "/a", id="a literal"),
        pytest.param("/a/", "/a/", id="a literal with a slash at the end"),
        pytest.param("/a/*", "/a/b", id="one segment"),
        pytest.param("/a/*", "/a/b%20c", id="one segment with an escape"),
        pytest.param("/a/*/c", "/a/b/c", id="one segment in the middle"),
        pytest.param("/a/*/*", "/a/b/c", id="two segments"),
        pytest.param("/a/**", "/a", id="no rest"),
        pytest.param("/a/**", "/a/", id="an empty rest"),
        pytest.param("/a/**", "/a/b/c/d", id="a long rest"),
        pytest.param("/a/*/**", "/a/b", id="one segment and no rest"),
        pytest.param("/a%20b/*", "/a%20b/c", id="a literal with an escape"),
    ],
)
def test_a_rule_holds_what_its_pattern_says(pattern: str, path: str) -> None:
    assert _rules(pattern).match("GET", path).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        pytest.param("/a", "/a/", id="a slash more"),
        pytest.param("/a/", "/a", id="a slash less"),
        pytest.param("/a", "/A", id="another case"),
        pytest.param("/a", "/ab", id="a longer segment"),
        pytest.param("/a", "/a/b", id="a segment more"),
        pytest.param("/a/*", "/a", id="a segment less"),
        pytest.param("/a/*", "/a/", id="an empty segment for a star"),
        pytest.param("/a/*", "/a/b/c", id="two segments for one star"),
        pytest.param("/a/*/c", "/a//c", id="an empty segment in the middle"),
        pytest.param("/a/**", "/ab", id="a rest within a segment"),
        pytest.param("/a/**", "/", id="the root"),
        pytest.param("/a.b", "/axb", id="a dot is a dot"),
        pytest.param("/a", "/a?b", id="a question mark"),
    ],
)
def test_a_rule_holds_nothing_else(pattern: str, path: str) -> None:
    with pytest.raises(PathNotAllowed) as refused:
        _rules(pattern).match("GET", path)
    assert refused.value.code == "path_not_allowed"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("/a/b/c", "/a/b/c", id="a literal before all"),
        pytest.param("/a/b/x", "/a/b/*", id="a literal further left before a star"),
        pytest.param("/a/x/c", "/a/*/c", id="a star where the literal leads nowhere"),
        pytest.param("/a/x/y", "/a/**", id="the rest last"),
        pytest.param("/a/b/c/d", "/a/b/**", id="the longer beginning before the shorter"),
        pytest.param("/a", "/a/**", id="none of the longer ones"),
    ],
)
def test_the_more_exact_rule_comes_first_however_they_are_ordered(path: str, name: str) -> None:
    patterns = ["/a/**", "/a/*/c", "/a/b/*", "/a/b/**", "/a/b/c"]
    assert _rules(*patterns).match("GET", path).name == name
    assert _rules(*reversed(patterns)).match("GET", path).name == name


def test_of_one_pattern_the_rule_that_was_given_first_comes_first() -> None:
    rules = Rules([Rule("first", GET, "/a"), Rule("second", frozenset({"GET", "PUT"}), "/a")])
    assert rules.match("GET", "/a").name == "first"
    assert rules.match("PUT", "/a").name == "second"


def test_a_less_exact_rule_serves_the_methods_that_the_exact_one_does_not_name() -> None:
    rules = Rules([Rule("all", METHODS, "/a/**"), Rule("one", GET, "/a/b")])
    assert rules.match("GET", "/a/b").name == "one"
    assert rules.match("DELETE", "/a/b").name == "all"


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "GET ", "", "PROPFIND"])
def test_a_method_that_no_rule_names_is_refused_with_those_that_there_are(method: str) -> None:
    rules = Rules([Rule("read", GET, "/a/*"), Rule("write", frozenset({"PUT", "DELETE"}), "/a/**"), Rule("b", METHODS, "/b")])
    with pytest.raises(MethodNotAllowed) as refused:
        rules.match(method, "/a/x")
    assert refused.value.code == "method_not_allowed"
    assert refused.value.allow == ("DELETE", "GET", "PUT")


@pytest.mark.parametrize("path", ["/a/1/secrets", "/a/1/SECRETS/x", "/a/1/secrets/", "/a/1/Secrets/y/z", "/a/token"])
def test_a_rule_may_leave_out_paths_that_name_credentials(path: str) -> None:
    assert Rules([Rule("api", METHODS, "/a/**")]).match("GET", path).name == "api"
    rules = Rules([Rule("api", METHODS, "/a/**", no_credentials=True)])
    for _ in range(2):
        with pytest.raises(PathNotAllowed) as refused:
            rules.match("GET", path)
        assert refused.value.code == "path_not_allowed"
    assert rules.match("GET", "/a/1/other").name == "api"


def test_what_one_rule_leaves_out_another_may_hold() -> None:
    open_rule = Rule("tokens", GET, "/a/token/list")
    rules = Rules([Rule("api", METHODS, "/a/**", no_credentials=True), open_rule])
    assert rules.match("GET", "/a/token/list") is open_rule
    with pytest.raises(MethodNotAllowed) as refused:
        rules.match("POST", "/a/token/list")
    assert refused.value.allow == ("GET",)


def test_a_path_of_many_segments_costs_no_more_than_the_patterns_are_deep() -> None:
    rules = _rules("/a/*/*/*/*/*/*/*/z", "/a/**", "/a/b/*/b/*/b/*/b/z")
    assert rules.match("GET", "/a" + "/b" * 4000).name == "/a/**"


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("", id="empty"),
        pytest.param("a/b", id="no slash in front"),
        pytest.param("/", id="the root"),
        pytest.param("/**", id="everything"),
        pytest.param("/*", id="any first segment"),
        pytest.param("/*/a", id="any first segment, and more"),
        pytest.param("/a/b*", id="a star within a segment"),
        pytest.param("/a/**/b", id="any rest in the middle"),
        pytest.param("/a/***", id="three stars"),
        pytest.param("/a//b", id="an empty segment"),
        pytest.param("/a/../b", id="dots"),
        pytest.param("/a;b", id="a parameter"),
        pytest.param("/a?b", id="a query"),
        pytest.param("/a b", id="a space"),
        pytest.param("/é", id="not ASCII"),
        pytest.param("/a/%2f", id="an escaped slash"),
        pytest.param("/a/%61", id="an escape that is decoded before it is compared"),
        pytest.param("/a/%c3%a9", id="an escape in lower case"),
        pytest.param("https://x.example/a", id="an address"),
        pytest.param("/a/{id}", id="a placeholder"),
        pytest.param(" /a", id="a space in front"),
        pytest.param(b"/a", id="bytes"),
        pytest.param(None, id="none"),
    ],
)
def test_a_pattern_that_is_unsafe_or_never_met_is_refused_at_construction(pattern: str) -> None:
    with pytest.raises(PolicyError) as refused:
        Rule("x", GET, pattern)
    assert refused.value.field == "pattern"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        pytest.param(lambda: Rule("", GET, "/a"), "name", id="no name"),
        pytest.param(lambda: Rule("x", frozenset(), "/a"), "methods", id="no method"),
        pytest.param(lambda: Rule("x", frozenset({"get"}), "/a"), "methods", id="a method in lower case"),
        pytest.param(lambda: Rule("x", frozenset({"CONNECT"}), "/a"), "methods", id="CONNECT"),
        pytest.param(lambda: Rule("x", frozenset({"TRACE"}), "/a"), "methods", id="TRACE"),
        pytest.param(lambda: Rule("x", frozenset({"OPTIONS"}), "/a"), "methods", id="OPTIONS"),
        pytest.param(lambda: Rule("x", "GET", "/a"), "methods", id="methods in one text"),  # type: ignore[arg-type]
        pytest.param(lambda: Rule("x", GET, "/a", 5), "patience", id="a number for a patience"),  # type: ignore[arg-type]
        pytest.param(lambda: Rule("x", GET, "/a", no_credentials="no"), "no_credentials", id="a text for a yes"),  # type: ignore[arg-type]
        pytest.param(lambda: Patience(connect=0), "connect", id="no time to connect"),
        pytest.param(lambda: Patience(connect=None), "connect", id="endless connecting"),  # type: ignore[arg-type]
        pytest.param(lambda: Patience(first_byte=0), "first_byte", id="no time for the first byte"),
        pytest.param(lambda: Patience(idle=-1), "idle", id="less than no time"),
        pytest.param(lambda: Patience(idle=float("nan")), "idle", id="no number"),
        pytest.param(lambda: Rules([]), "rules", id="no rules"),
        pytest.param(lambda: Rules(["sql"]), "rules", id="a text for a rule"),  # type: ignore[list-item]
        pytest.param(allowed, "allow", id="nothing allowed"),
        pytest.param(lambda: allowed("SQL"), "allow", id="a preset in upper case"),
        pytest.param(lambda: allowed("everything"), "allow", id="an unknown preset"),
        pytest.param(lambda: allowed(5), "allow", id="a number"),  # type: ignore[arg-type]
    ],
)
def test_a_configuration_that_could_not_work_is_refused_at_construction(make: Callable[[], object], field: str) -> None:
    with pytest.raises(PolicyError) as refused:
        make()
    assert refused.value.field == field
    assert refused.value.fix


def test_no_limit_is_said_by_none() -> None:
    assert Patience(first_byte=None, idle=None) == Patience(10.0, None, None)


def test_presets_and_rules_of_ones_own_go_together() -> None:
    own = Rule("clusters", GET, "/api/2.0/clusters/list")
    rules = allowed("me", own)
    assert rules.match("GET", "/api/2.0/clusters/list") is own
    assert rules.match("GET", "/api/2.0/preview/scim/v2/Me").name == "me"
