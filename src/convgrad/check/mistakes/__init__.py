"""Known mistakes as rewritings of the right pass, and the search for the one that explains."""
