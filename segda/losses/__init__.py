"""Losses: pure functions from tensors to a tensor, without state."""
