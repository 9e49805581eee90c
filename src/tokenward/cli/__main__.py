"""`python -m tokenward.cli`, where scripts are not on the path."""

from tokenward.cli.entry import run

run()
