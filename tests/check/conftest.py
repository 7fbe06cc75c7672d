"""Corpus files are code to be judged, not tests: pytest must not import them."""

collect_ignore_glob = ["corpus/*.py", "public/*.py", "hostile/*.py", "styles/*.py"]
