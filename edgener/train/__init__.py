"""Fine-tuning of encoders for token classification with transformers' Trainer."""
