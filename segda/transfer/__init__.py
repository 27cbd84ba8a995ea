"""Translation without training: transfer of a reference image's style, by a formula or by optimisation."""
