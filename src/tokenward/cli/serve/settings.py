"""Settings with where each came from, so that every complaint can say which line or variable to change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.fields import variable
from tokenward.errors import PolicyError
from tokenward.redaction import shown


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and the file or the environment variable that it came from."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Section:
    """The settings of one section. `file` is the configuration file, if there is one."""

    name: str
    held: Mapping[str, Setting]
    file: str | None

    def __contains__(self, name: str) -> bool:
        return name in self.held

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or the default where it is not set."""
        return self.held[name].value if name in self.held else default

    def need(self, name: str, what: str) -> Any:
        """The value. Raises CommandFailed where it is not set; `what` says what it is."""
        if name not in self.held:
            raise self.missing(name, what)
        return self.held[name].value

    def missing(self, name: str, what: str) -> CommandFailed:
        """The error for what is not set."""
        return CommandFailed(Exit.USAGE, f"[{self.name}] {name} is not set: {what}.", self.how_to_set(name))

    def among(self, name: str, choices: Iterable[str], what: str) -> str:
        """The value, which is one of these words. Raises CommandFailed."""
        value: str = self.need(name, f"{what}: one of {', '.join(choices)}")
        if value not in choices:
            raise self.failed(name, f"{value!r} is not known", f"Take one of {', '.join(choices)}.")
        return value

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the named settings that are set."""
        return {name: self.held[name].value for name in names if name in self.held}

    def require_only(self, kind: str, names: Iterable[str]) -> None:
        """Refuse settings that this kind has no use for: they would be believed to do something. Raises CommandFailed."""
        used = ["kind", *names]
        for name in self.held:
            if name not in used:
                fix = f"Leave it out; {kind} has {', '.join(used[1:])}." if used[1:] else f"Leave it out; {kind} has no settings."
                raise self.failed(name, f"it is not of the kind {kind!r}", fix)

    def origin(self, name: str) -> str:
        """ " (from ...)", or nothing for what is not set."""
        return f" (from {self.held[name].origin})" if name in self.held else ""

    def how_to_set(self, name: str) -> str:
        """What to do about a missing setting."""
        where = f"Set {variable(self.name, name)} in the environment"
        return f"{where}." if self.file is None else f"Set {name} under [{self.name}] in {shown(self.file)}, or {where[4:]}."

    def failed(self, name: str, problem: str, fix: str) -> CommandFailed:
        """The error that says what is wrong with a setting."""
        return CommandFailed(Exit.USAGE, f"[{self.name}] {name}{self.origin(name)}: {shown(problem)}.", fix)

    @contextmanager
    def judging(self, **fields: str) -> Iterator[None]:
        """Raise the library's PolicyError as CommandFailed; `fields` gives its names for arguments that are not ours."""
        try:
            yield
        except PolicyError as error:
            raise self.failed(fields.get(error.field, error.field), error.problem, error.fix) from None


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections. No secret is among the values, but for the names of files and variables that hold them."""

    sections: Mapping[str, Mapping[str, Setting]]
    file: str | None = None

    def __getitem__(self, name: str) -> Section:
        return Section(name, self.sections.get(name, _NOTHING), self.file)

    def dumped(self) -> str:
        """As text for worker processes, which must have the settings that were judged, whatever became of the file since."""
        sections = {
            name: {field: [setting.value, setting.origin] for field, setting in held.items()}
            for name, held in self.sections.items()
        }
        return json.dumps({"file": self.file, "sections": sections})

    @classmethod
    def loaded(cls, text: str) -> Settings:
        """What was dumped."""
        document = json.loads(text)
        sections = {
            name: {field: Setting(value, origin) for field, (value, origin) in held.items()}
            for name, held in document["sections"].items()
        }
        return cls(sections, document["file"])


_NOTHING: Mapping[str, Setting] = MappingProxyType({})
