"""AADSTS50000 has five root causes: which of them a registration rules out, and which it cannot show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing.graph import shapes
from tokenward.troubleshoot.registration.examine import CAUSES, CODES, root_causes


def _verdicts(estate: Any, **asked: Any) -> dict[int, bool | None]:
    return {cause.number: cause.held for cause in root_causes(estate.parts(**asked))}


def test_a_good_registration_rules_out_three_and_says_what_to_do_for_the_others(estate: Any) -> None:
    causes = root_causes(estate.parts())
    assert {cause.number: cause.held for cause in causes} == {1: None, 2: None, 3: True, 4: True, 5: True}
    assert ["password" in causes[0].fix, "client_id" in causes[1].fix] == [True, True]


def _symmetric(estate: Any) -> None:
    estate.principal["keyCredentials"] = [shapes.key_credential("Symmetric", "Sign", "2030-01-01T00:00:00Z")]


@pytest.mark.parametrize(
    ("change", "number", "check"),
    [
        pytest.param(lambda e: e.directory.grants.clear(), 3, "permissions consented", id="no consent"),
        pytest.param(
            lambda e: e.directory.service_principals.remove(e.principal), 3, "service principal", id="not in the tenant"
        ),
        pytest.param(_symmetric, 4, "signing keys of the service principal", id="a symmetric key"),
        pytest.param(lambda e: e.databricks.update(oauth2PermissionScopes=[]), 5, "permissions exposed", id="nothing exposed"),
    ],
)
def test_each_is_found_by_its_checks(estate: Any, change: Callable[[Any], object], number: int, check: str) -> None:
    change(estate)
    assert _verdicts(estate)[number] is False
    assert (CAUSES[check], estate.found()[check].held) == (number, False)


def test_what_was_not_looked_at_is_not_ruled_out(estate: Any) -> None:
    estate.application["requiredResourceAccess"] = []
    assert _verdicts(estate) == {1: None, 2: None, 3: None, 4: True, 5: None}


def test_what_could_not_be_read_is_not_ruled_out(estate: Any) -> None:
    parts = estate.parts("Application.Read.All")
    assert {cause.number: cause.held for cause in root_causes(parts)} == {1: None, 2: None, 3: None, 4: True, 5: True}


def test_the_tables_speak_of_checks_that_exist(estate: Any) -> None:
    estate.directory.grants.clear()
    api = estate.directory.enterprise_application("11111111-1111-4111-8111-111111111111", "an API")
    api["appRoles"] = [shapes.app_role("Jobs.Run")]
    estate.directory.request(estate.application, api, roles=["Jobs.Run"])
    names = set(estate.found(redirect_uri="https://a.example/")) | set(estate.found(resource="databricks", scopes=["sql"]))
    assert (set(CODES) | set(CAUSES)) - names == set()
