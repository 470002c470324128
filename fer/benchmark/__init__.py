"""Benchmarks of recognition and training on this machine; see docs/benchmark.md for what is measured, and how."""
