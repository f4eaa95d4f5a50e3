"""Fine-tuning of encoders for token classification, on transformers' Trainer."""
