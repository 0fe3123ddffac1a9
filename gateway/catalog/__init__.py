"""What is on offer: one immutable snapshot of models, prices, backends and keys."""

from gateway.catalog.catalog import Catalogs
from gateway.catalog.views import Catalog, Offer, Target

__all__ = ["Catalog", "Catalogs", "Offer", "Target"]
