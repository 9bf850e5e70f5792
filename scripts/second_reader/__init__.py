"""A second reader of bundles, written from SPEC.md and the published schemas, with Python's standard library alone.

It shares no line with the program. Each file is one concept of SPEC.md; `verify.py` has the numbered steps of section 3.1.
"""
