"""Model serving: `/serving-endpoints/<name>/invocations`, at once or as a stream of server-sent events.

Shapes: docs.databricks.com/aws/en/machine-learning/model-serving (chat completions; `predictions` for anything else). The model
says back what it was told.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator

from tokenward.testing.workspace.messages import Object, Reply, Request, json_reply
from tokenward.testing.workspace.shapes import api_error

DEFAULT_ENDPOINT = "echo"


class Serving:
    """The serving endpoints of the workspace.

    names  which there are
    pause  seconds between two events of a stream
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.names = {DEFAULT_ENDPOINT}
        self.pause = 0.0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the pauses of streams under way."""
        self._stopped.set()

    def invoke(self, request: Request, name: str) -> Reply:
        """POST /serving-endpoints/{name}/invocations."""
        asked = request.json()
        if name not in self.names:
            return api_error(404, "RESOURCE_DOES_NOT_EXIST", f"The given endpoint does not exist: {name}")
        messages = asked.get("messages")
        if not isinstance(messages, list):
            return _predictions(asked, name)
        text = _last(messages)
        if asked.get("stream") is True:
            return Reply(
                200, {"content-type": "text/event-stream", "cache-control": "no-cache"}, lambda: self._events(name, text)
            )
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json_reply(200, self._completion("chat.completion", name, choice, text), served_model_name=name)

    def _events(self, name: str, text: str) -> Iterator[bytes]:
        """One event a word, and the mark of the end."""
        words = text.split(" ")
        for number, word in enumerate(words):
            if number and self.pause:
                self._stopped.wait(self.pause)
            delta = {"role": "assistant", "content": word if number == 0 else f" {word}"}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if number == len(words) - 1 else None}
            yield _event(json.dumps(self._completion("chat.completion.chunk", name, choice, text)))
        yield _event("[DONE]")

    def _completion(self, kind: str, name: str, choice: Object, text: str) -> Object:
        count = len(text.split())
        return {
            "id": f"chatcmpl-{uuid.uuid4()}",
            "object": kind,
            "created": int(self._clock()),
            "model": name,
            "choices": [choice],
            "usage": {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count},
        }


def _predictions(asked: Object, name: str) -> Reply:
    for member in ("dataframe_records", "instances", "inputs"):
        if member in asked:
            return json_reply(200, {"predictions": asked[member]}, served_model_name=name)
    return api_error(400, "BAD_REQUEST", "Give messages, dataframe_records, instances or inputs")


def _last(messages: list[object]) -> str:
    last = messages[-1] if messages else None
    return str(last.get("content", "")) if isinstance(last, dict) else ""


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()
