"""The quality of a model, and the distance of a variant from PyTorch."""
