"""Compression of a checkpoint to a target of time or size: pruned, recovered by training, and judged."""
