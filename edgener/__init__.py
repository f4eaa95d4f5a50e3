"""Fine-tune BERT for named entities, export and quantise it, and verify it against PyTorch."""

__version__ = "0.1.0"
