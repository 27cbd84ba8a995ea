"""The errors a caller can act on. Each message names the file or key, the fault, what was expected and the remedy."""


class SegdaError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line and exits with 2."""


class ConfigError(SegdaError):
    """A configuration that cannot run: unknown key, wrong type, impossible combination."""


class DataError(SegdaError):
    """A data set that cannot be used: missing root, missing pair, broken file, label outside its map."""


class ArtefactError(SegdaError):
    """A run folder that cannot be used: damaged, of another config, not finished, not writable."""


class TrainingError(SegdaError):
    """A training step that failed: a loss that is not finite, a network without gradient."""


class ResourceError(SegdaError):
    """Too little memory or disk space."""
