"""The embedded model: a small cascade of DeepFloyd IF's shape, its training and its weights."""
