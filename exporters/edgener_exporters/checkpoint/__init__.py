"""Checkpoints as transformers loads them: complete, without code of their own, adapters merged."""
