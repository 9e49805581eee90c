"""Logs are kept off the terminal: they are no results, and writing them is not what a service pays for."""

from __future__ import annotations

import logging

import structlog


def silence_loggers() -> None:
    """Both logging systems drop what they are given; making the events still costs what it costs."""
    logging.getLogger().addHandler(logging.NullHandler())
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
