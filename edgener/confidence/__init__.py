"""Confidence: how often entities of a score are right, the temperature that corrects scores, and thresholds on them."""
