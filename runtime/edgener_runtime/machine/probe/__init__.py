"""What this machine is and has: CPU, memory, GPUs and their driver, NVIDIA's libraries, packages, and the Jetson."""
