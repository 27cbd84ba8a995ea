"""Procedural street scenes in two appearances, written to disk in GTA5's and Cityscapes' layouts."""
