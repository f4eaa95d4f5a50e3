"""The classifier over HTTP: its own endpoint, the Open Inference Protocol, health probes, metrics, and a web page."""
