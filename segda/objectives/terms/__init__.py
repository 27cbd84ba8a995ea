"""The terms of the objective: one file each, whose name is the term's name in a method's YAML."""
