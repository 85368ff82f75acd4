"""What the method costs: kernels, training steps, notebooks."""
