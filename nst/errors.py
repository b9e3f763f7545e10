"""The exceptions a caller may meet: each message says what is wrong, what was received and what to do."""


class NSTError(Exception):
    """Base of every error this package raises on purpose; its text is meant for the person at the screen."""


class SettingsError(NSTError, ValueError):
    """A setting is outside its range, or two settings contradict each other."""


class ImageError(NSTError, ValueError):
    """A file is no picture we can read, or a picture is outside the size limits."""


class WeightsError(NSTError):
    """A weights file is missing, truncated, unreadable or of another network; or a download failed."""


class GalleryError(NSTError):
    """A gallery entry does not exist or can't be read, or the gallery folder can't be written."""


class CheckpointError(NSTError):
    """The saved state of a run is damaged, of another version, or of another run."""
