"""Exchange: results go out as one zip, come back from one, and the settings inside a picture are read.

    export(gallery, ids, file)        any number of results as a zip file (`outgoing`)
    import_(gallery, source)          such a zip, from here or from another computer (`incoming`)
    offered(data)                     what a PNG that was made here says about itself (`offer`)
    matching(gallery, offer)          which of the pictures it was made from this gallery has

What goes out holds pixels, numbers and the names the user gave; no camera's metadata and no place in a computer. What
comes in is untrusted: bounded, checked, decoded, never executed, and no path is ever made from a name in it.
TensorFlow is never imported here.
"""

from nst.exchange.incoming import Imported, import_
from nst.exchange.offer import Offer, matching, offered
from nst.exchange.outgoing import Exported, export

__all__ = ["Exported", "Imported", "Offer", "export", "import_", "matching", "offered"]
