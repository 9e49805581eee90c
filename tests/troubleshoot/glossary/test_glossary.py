"""What members of tokens mean: the data is whole, and knows what real tokens hold."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tokenward.testing import LocalIssuer
from tokenward.troubleshoot.glossary import glossary, meaning_of, value_name
from tokenward.troubleshoot.glossary.terms import FORMS, read_glossary

TERM = {"name": "x", "meaning": "It is x.", "source": "https://x.example/", "form": "id"}


def _document(*terms: object, values: object = None) -> bytes:
    return json.dumps({"terms": terms, "values": {} if values is None else values}).encode()


def _members(token: str) -> set[str]:
    parts = token.split(".")[:2]
    return {name for part in parts for name in json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("kind", ["user_token", "guest_token", "app_token", "id_token"])
def test_every_member_of_entras_tokens_has_a_meaning(issuer: LocalIssuer, kind: str, version: str) -> None:
    names = _members(getattr(issuer, kind)(version))
    assert len(names) > 10
    assert [name for name in names if meaning_of(name) is None] == []


def test_every_member_of_another_issuers_tokens_has_a_meaning() -> None:
    assert [name for name in _members(LocalIssuer.oidc().access_token()) if meaning_of(name) is None] == []


@pytest.mark.parametrize(
    ("name", "form", "word"),
    [
        pytest.param("exp", "time", "ends", id="a time"),
        pytest.param("scp", "list", "scopes", id="a list"),
        pytest.param("acct", "flag", "guest", id="a flag"),
        pytest.param("tid", "id", "tenant", id="an id"),
        pytest.param("unique_name", "text", "Databricks", id="a text"),
        pytest.param("xms_anything", "text", "Microsoft's own", id="a member of a family"),
        pytest.param("xms_cc", "list", "cp1", id="a member of a family with a meaning of its own"),
    ],
)
def test_a_name_has_a_meaning_a_form_and_a_source(name: str, form: str, word: str) -> None:
    term = meaning_of(name)
    assert term is not None
    assert term.form == form
    assert word in term.meaning
    assert term.source.startswith("https://")


@pytest.mark.parametrize("name", ["", "EXP", "made_up", "xms", "*"])
def test_an_unknown_name_has_none(name: str) -> None:
    assert meaning_of(name) is None


def test_well_known_values_are_named() -> None:
    assert value_name("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d") == "Azure Databricks"
    assert value_name("00000000-0000-0000-0000-000000000000") is None


def test_every_term_is_a_sentence_in_a_known_form() -> None:
    for term in glossary().terms.values():
        assert term.form in FORMS
        assert term.meaning.endswith("."), term.name
        assert term.meaning.isascii(), term.name


def test_what_was_read_cannot_be_changed() -> None:
    changing: Any = glossary().terms
    with pytest.raises(TypeError):
        changing["exp"] = None


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no members"),
        pytest.param(_document(TERM, TERM), id="a name twice"),
        pytest.param(_document({**TERM, "form": "date"}), id="an unknown form"),
        pytest.param(_document({**TERM, "source": "http://x.example/"}), id="no https"),
        pytest.param(_document({**TERM, "meaning": " "}), id="no meaning"),
        pytest.param(_document({**TERM, "mark": "verified"}), id="a member too many"),
        pytest.param(_document("x"), id="a text for a term"),
        pytest.param(_document(TERM, values={"x": 1}), id="a value without a name"),
    ],
)
def test_a_glossary_that_is_not_whole_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_glossary(document)
