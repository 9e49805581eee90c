"""Writes a page of the catalogue: `python -m tokenward.acquisition codes`, or `errors`."""

from __future__ import annotations

import sys

from tokenward.acquisition.pages import codes_page, errors_page

PAGES = {"codes": codes_page, "errors": errors_page}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
        sys.exit(f"usage: python -m tokenward.acquisition {' or '.join(PAGES)}")
    sys.stdout.write(PAGES[sys.argv[1]]())
