//! A recipe becomes a plan, a plan becomes a run: the training loop and what it leaves behind
