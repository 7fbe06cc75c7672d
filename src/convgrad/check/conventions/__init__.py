"""How someone's code wants to be called, and where it leaves its results."""
