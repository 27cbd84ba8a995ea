"""segda: carry a segmentation network from labelled synthetic images to unlabelled photographs."""

__version__ = "0.1.0"
