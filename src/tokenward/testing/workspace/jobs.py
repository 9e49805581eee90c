"""Jobs: run now, and ask how a run is getting on. Shapes: docs.databricks.com/api/workspace/jobs (2.1 and 2.2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from tokenward.testing.workspace.messages import Object, Refused, Reply, Request, json_reply
from tokenward.testing.workspace.people import Principal
from tokenward.testing.workspace.shapes import api_error

DEFAULT_JOB = 101
_LIVES = ("PENDING", "RUNNING", "TERMINATED")


@dataclass(slots=True)
class Run:
    """One run; every look at it finds it one step further."""

    id: int
    job: int
    number: int
    owner: str
    started: int
    parameters: object
    looks: int = 0


class Jobs:
    """The jobs of the workspace: their names by id, and the runs of each."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ids = itertools.count(5001)
        self.names = {DEFAULT_JOB: "nightly"}
        self.runs: dict[int, Run] = {}

    def run_now(self, request: Request, caller: Principal) -> Reply:
        """POST /api/2.x/jobs/run-now."""
        asked = request.json()
        job = self._job(asked.get("job_id"))
        number = 1 + sum(run.job == job for run in self.runs.values())
        run = Run(next(self._ids), job, number, caller.name, int(self._clock() * 1000), asked.get("job_parameters"))
        self.runs[run.id] = run
        return json_reply(200, {"run_id": run.id, "number_in_job": run.number})

    def get(self, request: Request) -> Reply:
        """GET /api/2.x/jobs/get?job_id=..."""
        job = self._job(request.query.get("job_id"))
        return json_reply(200, {"job_id": job, "settings": {"name": self.names[job]}})

    def get_run(self, request: Request) -> Reply:
        """GET /api/2.x/jobs/runs/get?run_id=..."""
        run = self.runs.get(_number(request.query.get("run_id")))
        if run is None:
            return api_error(400, "INVALID_PARAMETER_VALUE", "The run does not exist.")
        life = _LIVES[min(run.looks, len(_LIVES) - 1)]
        run.looks += 1
        return json_reply(200, _shown(run, life, self.names.get(run.job, "")))

    def _job(self, given: object) -> int:
        job = _number(given)
        if job not in self.names:
            raise Refused(api_error(400, "INVALID_PARAMETER_VALUE", f"Job {given} does not exist."))
        return job


def _shown(run: Run, life: str, name: str) -> Object:
    ended: Object = {"result_state": "SUCCESS"} if life == "TERMINATED" else {}
    return {
        "run_id": run.id,
        "job_id": run.job,
        "number_in_job": run.number,
        "run_name": name,
        "creator_user_name": run.owner,
        "start_time": run.started,
        "state": {"life_cycle_state": life, "state_message": "", **ended},
    }


def _number(given: object) -> int:
    text = str(given)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
