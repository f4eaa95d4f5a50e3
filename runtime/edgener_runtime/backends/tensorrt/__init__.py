"""TensorRT engines: built from a bundle's graphs on the device itself, described, and checked before they are loaded.

Engines were built by TensorRT for RTX on machines without a GPU, and the calls checked with the bindings of TensorRT
10.3 to 11.4; not run on a device yet.
"""
