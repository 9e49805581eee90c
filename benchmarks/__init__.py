"""What tokenward costs, beside the bare signature check and beside its peers. Run `scripts/bench`, or `python -m benchmarks`."""
