"""What only FastAPI has: scopes per route, the OpenAPI document, the app's own error handlers, and a middleware in front."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Security
from fastapi.exception_handlers import http_exception_handler
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from tokenward import AsyncVerifier, Identity, PolicyError
from tokenward.middleware.asgi import BearerMiddleware
from tokenward.middleware.fastapi import BearerAuth, Refused


def ask(doors: Any, app: Any, path: str, *authorizations: bytes) -> Any:
    return doors.ask_asgi(app, doors.asgi_scope("GET", path, [("Authorization", value) for value in authorizations]))


def guarded_by(auth: BearerAuth, **options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/me")
    async def me(user: Annotated[Identity, Security(auth)]) -> Any:
        return user.subject

    @app.get("/jobs")
    async def jobs(user: Annotated[Identity, Security(auth, scopes=["jobs.read"])]) -> Any:
        return user.subject

    @app.get("/both", dependencies=[Security(auth, scopes=["jobs.read"])])
    async def both(user: Annotated[Identity, Security(auth, scopes=["jobs.write"])]) -> Any:
        return user.subject

    @app.get("/open")
    async def open_to_all() -> Any:
        return "anybody"

    return app


def needs_write(auth: BearerAuth) -> FastAPI:
    def writer(user: Annotated[Identity, Security(auth, scopes=["jobs.write"])]) -> Identity:
        return user

    app = FastAPI()

    @app.get("/nested")
    async def nested(user: Annotated[Identity, Security(writer, scopes=["jobs.read"])]) -> Any:
        return user.subject

    return app


SCOPES = [
    pytest.param("/me", [], 200, None, id="no scope asked for"),
    pytest.param("/jobs", ["jobs.read"], 200, None, id="the scope granted"),
    pytest.param("/jobs", ["jobs.read", "jobs.write"], 200, None, id="more than the scope granted"),
    pytest.param("/jobs", [], 403, "jobs.read", id="no scope granted"),
    pytest.param("/jobs", ["jobs.readall"], 403, "jobs.read", id="a longer scope granted"),
    pytest.param("/jobs", ["Jobs.Read"], 403, "jobs.read", id="another case granted"),
    pytest.param("/both", ["jobs.write"], 403, "jobs.read", id="the one of two dependencies"),
    pytest.param("/both", ["jobs.read"], 403, "jobs.write", id="the other of two dependencies"),
    pytest.param("/both", ["jobs.read", "jobs.write"], 200, None, id="both dependencies"),
]


@pytest.mark.parametrize(("path", "granted", "status", "named"), SCOPES)
def test_a_route_asks_for_its_own_scopes(doors: Any, path: str, granted: list[str], status: int, named: str | None) -> None:
    app = guarded_by(BearerAuth(doors.policy(kinds=None)))
    reply = ask(doors, app, path, doors.bearer(scopes=granted))
    assert reply.status == status
    assert named is None or f'scope="{named}"' in reply.values("www-authenticate")[0]


def test_scopes_of_nested_dependencies_add_up(doors: Any) -> None:
    reply = ask(doors, needs_write(BearerAuth(doors.policy())), "/nested", doors.bearer(scopes=["jobs.write"]))
    assert reply.status == 403
    assert 'scope="jobs.read jobs.write"' in reply.values("www-authenticate")[0]


def test_a_route_that_does_not_use_it_is_open(doors: Any) -> None:
    assert ask(doors, guarded_by(BearerAuth(doors.policy())), "/open").status == 200


def test_openapi_shows_a_bearer_scheme_on_guarded_routes_only(doors: Any) -> None:
    document = guarded_by(BearerAuth(doors.policy())).openapi()
    assert document["components"]["securitySchemes"] == {"Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    assert list(document["paths"]["/jobs"]["get"]["security"][0]) == ["Bearer"]
    assert "security" not in document["paths"]["/open"]["get"]


# -- optional ------------------------------------------------------------------------------------------------------------

OPTIONAL = [
    pytest.param(lambda doors: [], 200, "nobody", id="no header passes"),
    pytest.param(lambda doors: [b"Basic dXNlcjpwYXNz"], 200, "nobody", id="another scheme passes"),
    pytest.param(lambda doors: [doors.bearer()], 200, "user", id="a good token is looked at"),
    pytest.param(lambda doors: [doors.bearer(scopes=["other"])], 403, None, id="a scope too few does not pass"),
    pytest.param(lambda doors: [doors.bearer(lifetime=-60)], 401, None, id="an expired token does not"),
    pytest.param(lambda doors: [b"Bearer garbage"], 401, None, id="a bad token does not"),
    pytest.param(lambda doors: [b"Bearer"], 400, None, id="a scheme without a token does not"),
    pytest.param(lambda doors: [b"Basic eA==", doors.bearer()], 400, None, id="two headers do not"),
]


def optional_app(auth: BearerAuth, **options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/jobs")
    async def jobs(user: Annotated[Identity | None, Security(auth, scopes=["jobs.read"])]) -> Any:
        return user.kind if user else "nobody"

    return app


@pytest.mark.parametrize("proved_by", ["its own policy", "an optional middleware"])
@pytest.mark.parametrize(("header", "status", "who"), OPTIONAL)
def test_optional_gives_none_for_a_missing_token_only(
    doors: Any, proved_by: str, header: Any, status: int, who: str | None
) -> None:
    if proved_by == "its own policy":
        app = optional_app(BearerAuth(doors.policy(), optional=True))
    else:
        in_front = [Middleware(BearerMiddleware, policy=doors.policy(), optional=True)]
        app = optional_app(BearerAuth(optional=True), middleware=in_front)
    reply = ask(doors, app, "/jobs", *header(doors))
    assert reply.status == status
    assert who is None or reply.seen == who


def test_optional_does_not_open_the_door_when_the_issuer_is_down(doors: Any) -> None:
    doors.issuer.fail("reset")
    assert ask(doors, optional_app(BearerAuth(doors.policy(), optional=True)), "/jobs", doors.bearer()).status == 503


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("token", ["good", "bad"])
def test_a_token_that_the_middleware_was_told_not_to_look_at_is_not_taken_for_a_missing_one(
    doors: Any, optional: bool, token: str
) -> None:
    in_front = [Middleware(BearerMiddleware, policy=doors.policy(), exempt=["/jobs"])]
    app = optional_app(BearerAuth(optional=optional), middleware=in_front)
    with pytest.raises(PolicyError, match="exempt"):
        ask(doors, app, "/jobs", doors.bearer() if token == "good" else b"Bearer garbage")
    assert ask(doors, app, "/jobs").status == (200 if optional else 401)


def test_a_role_can_be_asked_for_by_one_route(doors: Any) -> None:
    """As the docstring of BearerAuth shows."""
    app, auth = FastAPI(), BearerAuth(doors.policy())

    def operator(user: Annotated[Identity, Security(auth)]) -> Identity:
        if "Jobs.Operate" not in user.roles:
            raise HTTPException(403)
        return user

    @app.get("/operate")
    async def operate(user: Annotated[Identity, Depends(operator)]) -> Any:
        return user.kind

    tokens = [b"Bearer " + doors.issuer.app_token(roles=roles).encode() for roles in (["Jobs.Operate"], ["Jobs.Read"])]
    assert [ask(doors, app, "/operate", token).status for token in tokens] == [200, 403]


# -- the app's own error handlers ---------------------------------------------------------------------------------------


async def plain(request: Request, exc: HTTPException) -> PlainTextResponse:
    return PlainTextResponse(f"no: {exc.detail}", exc.status_code, dict(exc.headers or {}))


async def as_fastapi_does(request: Request, exc: HTTPException) -> Any:
    return await http_exception_handler(request, exc)


@pytest.mark.parametrize("key", [HTTPException.__mro__[1], Refused, 401], ids=["HTTPException", "Refused", "the status"])
def test_the_apps_own_handler_decides_the_body_and_has_the_headers(doors: Any, key: Any) -> None:
    app = guarded_by(BearerAuth(doors.policy()), exception_handlers={key: plain})
    reply = ask(doors, app, "/jobs")
    assert (reply.status, reply.body) == (401, b"no: A bearer token is required")
    assert reply.values("www-authenticate") == ["Bearer"]


def test_a_handler_that_hands_on_to_fastapis_gives_a_whole_answer(doors: Any) -> None:
    """The lengths must not be those of the body that we would have sent."""
    app = guarded_by(BearerAuth(doors.policy()), exception_handlers={HTTPException.__mro__[1]: as_fastapi_does})
    reply = ask(doors, app, "/jobs", b"Bearer garbage")
    assert (reply.status, reply.seen) == (401, {"detail": "The access token is invalid"})
    assert reply.values("content-length") == [str(len(reply.body))]
    assert len(reply.values("www-authenticate")) == 1


def test_an_answer_of_the_app_itself_is_not_touched(doors: Any) -> None:
    app = guarded_by(BearerAuth(doors.policy()))

    @app.get("/gone")
    async def gone(user: Annotated[Identity, Security(BearerAuth(doors.policy()))]) -> Any:
        raise HTTPException(410, "gone")

    assert ask(doors, app, "/jobs").status == 401
    assert ask(doors, app, "/gone", doors.bearer()).seen == {"detail": "gone"}


# -- behind BearerMiddleware ---------------------------------------------------------------------------------------------


def behind_middleware(doors: Any, auth: BearerAuth, **options: Any) -> FastAPI:
    return guarded_by(auth, middleware=[Middleware(BearerMiddleware, policy=doors.policy(), **options)])


def test_without_a_policy_it_takes_the_middlewares_identity_and_adds_scopes(doors: Any) -> None:
    app = behind_middleware(doors, BearerAuth())
    assert ask(doors, app, "/me", doors.bearer()).status == 200
    assert ask(doors, app, "/jobs", doors.bearer(scopes=["other"])).status == 403
    assert ask(doors, app, "/jobs", doors.bearer()).status == 200
    assert ask(doors, app, "/me").status == 401


def test_without_a_policy_a_request_that_the_middleware_let_pass_is_refused(doors: Any) -> None:
    app = behind_middleware(doors, BearerAuth(), exempt=["/me"])
    reply = ask(doors, app, "/me")
    assert (reply.status, reply.values("www-authenticate")) == (401, ["Bearer"])


def test_without_a_policy_and_without_the_middleware_it_says_so(doors: Any) -> None:
    with pytest.raises(PolicyError, match="no BearerMiddleware"):
        ask(doors, guarded_by(BearerAuth()), "/me", doors.bearer())


def test_its_own_policy_is_not_replaced_by_a_laxer_middleware(doors: Any) -> None:
    """The middleware has let the caller in; the route's own policy refuses apps all the same."""
    app = behind_middleware(doors, BearerAuth(doors.policy(kinds=["user"])))
    token = b"Bearer " + doors.issuer.app_token().encode()
    assert ask(doors, app, "/open", token).status == 200
    assert ask(doors, app, "/me", token).status == 403


def test_a_shared_verifier_fetches_keys_once(doors: Any) -> None:
    verifier = AsyncVerifier(doors.policy())
    app = guarded_by(BearerAuth(verifier=verifier), middleware=[Middleware(BearerMiddleware, verifier=verifier)])
    assert ask(doors, app, "/me", doors.bearer()).status == 200
    assert len(doors.issuer.requests) == len(set(doors.issuer.requests))


# -- configuration -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "field"),
    [
        pytest.param(lambda doors: BearerAuth(doors.policy(), verifier=AsyncVerifier(doors.policy())), "policy", id="both"),
        pytest.param(lambda doors: BearerAuth().verifier, "policy", id="the verifier of nobody"),
    ],
)
def test_an_impossible_construction_is_refused(doors: Any, make: Any, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        make(doors)
    assert caught.value.field == field


def test_it_works_as_a_plain_dependency_without_scopes(doors: Any) -> None:
    app, auth = FastAPI(), BearerAuth(doors.policy())

    @app.get("/me")
    async def me(user: Annotated[Identity, Depends(auth)]) -> Any:
        return user.kind

    assert ask(doors, app, "/me", doors.bearer()).seen == "user"
