"""Someone's backward pass against the equations: what is right, which index is wrong."""
