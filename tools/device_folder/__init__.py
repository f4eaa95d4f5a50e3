"""Makes a folder that runs the runtime on a device without pip and without a network, and a .tar.gz of it."""
