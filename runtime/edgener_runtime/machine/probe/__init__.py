"""The probe of a machine: CPU, memory, GPUs and their driver, NVIDIA's libraries, packages, and the Jetson."""
