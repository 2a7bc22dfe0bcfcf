"""The diffusion library: tensors in, tensors out."""
