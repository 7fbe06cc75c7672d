"""The backward pass of any convolution layer: read it, prove it, run it, check yours against it."""
