"""Neural style transfer studio: a photograph painted in the style of other pictures.

`nst.config` (settings and presets), `nst.image` and `nst.gallery` work without TensorFlow; `nst.engine` is the method.
"""

__version__ = "0.1.0"
