"""What `tokenward doctor` looks at: Graph or files for a registration, the network for a workspace."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from tokenward import validation
from tokenward.asking.driving import run
from tokenward.cli.federation_file import read_federation_file
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.tokens import read_file, read_token
from tokenward.clouds import NAMED, Cloud
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.keys.fetch import HttpxFetch
from tokenward.redaction import shown
from tokenward.troubleshoot.registration.asking import MAX_ANSWER_BYTES, Graph
from tokenward.troubleshoot.registration.az_files import KINDS, AzFile, read_az_files
from tokenward.troubleshoot.registration.examine import Parts, findings
from tokenward.troubleshoot.registration.facts import Question, Registration, Unread
from tokenward.troubleshoot.registration.graph_address import GRAPHS, graph_root
from tokenward.troubleshoot.registration.reading import read_registration
from tokenward.troubleshoot.surroundings.probe import probe
from tokenward.troubleshoot.surroundings.workspace import Means, examine_workspace

MAX_TIMEOUT = 600.0


def read_parts_of_registration(args: argparse.Namespace) -> Parts:
    """Nothing without --client-id. Raises PolicyError and CommandFailed."""
    if args.client_id is None:
        return {}
    question = Question(args.tenant, args.client_id, args.resource, args.scope, args.redirect_uri)
    return findings(_registration(args, question), question, time.time())


def read_parts_of_workspace(args: argparse.Namespace) -> Parts:
    """Nothing without --workspace. Raises as above."""
    if args.workspace is None:
        return {}
    policies = _policies(args)
    means = Means(HttpxFetch(), probe)
    return examine_workspace(args.workspace, means, tenant=args.tenant, cloud=_cloud(args), policies=policies)


def _registration(args: argparse.Namespace, question: Question) -> Registration:
    if args.az_file:
        return read_az_files([_az_file(given) for given in args.az_file], question)
    problem, fix = "no question is answered in 0 seconds", "Give more than 0 seconds, or leave it out."
    timeout = validation.some_seconds("timeout", args.timeout, most=MAX_TIMEOUT, problem=problem, fix=fix)
    graph = Graph(graph_root(args.graph or GRAPHS[args.cloud or "public"]), _graph_token(args))
    found = run(read_registration(graph, question), HttpxFetch(), time.monotonic() + timeout)
    if isinstance(found.application, Unread) and isinstance(found.principal, Unread):  # then nothing is known
        raise CommandFailed(Exit.UNAVAILABLE, f"{found.principal.why}.".capitalize(), found.principal.fix)
    return found


def _graph_token(args: argparse.Namespace) -> str:
    """As every command's token, but its options have longer names here."""
    try:
        token = read_token(argparse.Namespace(token_env=args.graph_token_env, token_file=args.graph_token_file))
    except CommandFailed as failure:
        failure.fix = failure.fix.replace("--token-", "--graph-token-")
        raise
    if not (token.isascii() and token.isprintable()):
        raise CommandFailed(Exit.NO_TOKEN, "What was read is no token.", "Pass the access token for Graph alone.")
    return token


def _az_file(given: str) -> AzFile:
    kind, equals, path = given.partition("=")
    if not equals or kind not in KINDS:
        kind, path = "", given
    content = read_file(path, MAX_ANSWER_BYTES, fix="Give a file into which the output of az was written.")
    return AzFile(str(shown(path)), content, kind or None)


def _cloud(args: argparse.Namespace) -> Cloud | None:
    """None where the workspace itself says which."""
    if args.authority is not None:
        return replace(NAMED[args.cloud or "public"], authority=args.authority)
    return NAMED[args.cloud] if args.cloud else None


def _policies(args: argparse.Namespace) -> list[FederationPolicy]:
    if args.federation_policies is None:
        return []
    return read_federation_file(args.federation_policies, args.account_id)
