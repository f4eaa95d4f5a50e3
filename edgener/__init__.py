"""Fine-tune BERT for named entities, export and quantise it, and prove it as good as the model that was trained."""

__version__ = "0.1.0"
