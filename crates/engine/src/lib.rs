//! How a network runs on a CPU: memory plan, kernels, forward, backward, optimizers
