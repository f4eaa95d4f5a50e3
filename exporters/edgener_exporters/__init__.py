"""Export and quantise fine-tuned encoders for edgener_runtime."""
