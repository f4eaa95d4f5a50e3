"""The build side of benchmarks: PyTorch as a target, labelled texts, and the page of the result's schema."""
