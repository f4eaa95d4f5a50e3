"""The classifier over HTTP: its own endpoint, the Open Inference Protocol, probes, metrics, and a page to try it."""
