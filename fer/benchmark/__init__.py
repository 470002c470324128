"""What recognition and training cost on this machine; docs/benchmark.md says what is measured, and how."""
