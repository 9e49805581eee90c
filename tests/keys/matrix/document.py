"""docs/faults.md, made from the rows of the matrix and from the faults' own docstrings.

`python tests/keys/matrix/document.py` writes it; `scripts/matrix --docs` does so in the right environment.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from tokenward.testing import faults

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "faults.md"
HELPERS = {"of_mode", "response_to"}

BEFORE = """\
# Faults: what goes wrong with an issuer, and what becomes of your callers

<!-- Made by `scripts/matrix --docs`. Change tests/keys/matrix/rows.toml, or the docstrings of tokenward.testing.faults. -->

## What the verifiers do

Every row is run against a real server on loopback that misbehaves so, by each driver of the key cache: `threads` (`Verifier`),
`asyncio` and `trio` (`AsyncVerifier`), and `mixed`, where threads and tasks share one source of keys. Time is wound by hand, so
that hours pass in milliseconds; sockets, TLS, HTTP and processes are real. `scripts/matrix` runs it, and prints the table with
what held.

"Keeps" means: callers whose key is in hand are served with the same keys, none of them waits, the age of the keys is not
renewed, and a token with another key is answered 503 and not 401, since nobody can say.

"""
BETWEEN = """
## The same faults in your tests

`FaultServer` is a local issuer over HTTP, or HTTPS with `tls=True`, which fails request by request:

```python
import pytest
from tokenward import KeysUnavailable, Verifier, entra
from tokenward.testing import FaultServer, LocalIssuer, faults

def test_my_service_without_its_issuer():
    issuer = LocalIssuer()
    with FaultServer(issuer) as server:
        verifier = Verifier(entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud))
        server.next(faults.reset_after(100))           # the next request; several faults are for as many requests
        with pytest.raises(KeysUnavailable):
            verifier.verify(issuer.user_token())
        server.always(faults.status(503, retry_after=5))                        # until server.recover()
```

`server.next(..., path="/jwks")` is for one document alone; `server.asked` holds the requests that arrived. Clients of a server
with `tls=True` trust it by `HttpxFetch(tls=server.authority.trusting())`, or by `server.authority.pem` in a file. A fault that
holds an answer back ends with `fault.end()`, `server.recover()` or the server. In process, `issuer.fail("status", status=503)`
and its like need no server at all.

"""


def page() -> str:
    """The whole document."""
    return BEFORE + "\n".join(_rows()) + "\n" + BETWEEN + "\n".join(_faults()) + "\n"


def _rows() -> Iterator[str]:
    yield "| | what goes wrong | what holds | drivers |"
    yield "|---|---|---|---|"
    for row in tomllib.loads((HERE / "rows.toml").read_text("utf-8"))["row"]:
        drivers = ", ".join(row.get("drivers", ["all"]))
        yield f"| {row['id']} | {_cell(row['fault'])} | {_cell(row['holds'])} | {drivers} |"


def _faults() -> Iterator[str]:
    yield "| `faults.` | what happens |"
    yield "|---|---|"
    for name in faults.__all__:
        made = getattr(faults, name)
        if inspect.isfunction(made) and name not in HELPERS:
            yield f"| `{name}({_arguments(made)})` | {_cell(_first_paragraph(made))} |"


def _arguments(function: Callable[..., object]) -> str:
    """The parameters without their types."""
    words = []
    for parameter in inspect.signature(function).parameters.values():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        words.append(f"{star}{parameter.name}{default}")
    return ", ".join(words)


def _first_paragraph(function: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return re.sub(r"([|<])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
