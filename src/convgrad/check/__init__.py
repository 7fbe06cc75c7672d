"""Someone's backward pass against the equations: which gradients are right, which index is wrong."""
