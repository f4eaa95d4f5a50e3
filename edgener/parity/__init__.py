"""How good a model is, and how far one form of it is from another."""
