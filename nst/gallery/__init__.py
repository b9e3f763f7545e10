"""The gallery: results and the pictures they were made from, as plain folders with an index; see `store`."""

from nst.gallery.catalogue import Rebuilt
from nst.gallery.entry import Entry, Input
from nst.gallery.pictures import Format
from nst.gallery.query import ORDERS, Facets, Filters, StyleUse
from nst.gallery.shelf import ShelfStyle
from nst.gallery.store import Gallery, Page, default_root
from nst.gallery.text import check_id, default_name, new_id
from nst.gallery.trash import RETENTION_DAYS, Deleted, Restored, Trashed

__all__ = [
    "ORDERS",
    "RETENTION_DAYS",
    "Deleted",
    "Entry",
    "Facets",
    "Filters",
    "Format",
    "Gallery",
    "Input",
    "Page",
    "Rebuilt",
    "Restored",
    "ShelfStyle",
    "StyleUse",
    "Trashed",
    "check_id",
    "default_name",
    "default_root",
    "new_id",
]
