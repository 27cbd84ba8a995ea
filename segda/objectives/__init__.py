"""The one objective: a weighted sum of terms, for generators against discriminators."""
