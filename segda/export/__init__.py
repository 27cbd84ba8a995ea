"""Adapted data sets on disk: encoding, layouts, checksums, tiles, and how well images kept their content."""
