"""What is run under the double, and what has to come out. `scripts/test-darwin` runs it."""
