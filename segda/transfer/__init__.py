"""Translating without training: one image takes on the look of a reference image, by a formula or by optimisation."""
