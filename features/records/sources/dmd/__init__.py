"""dm+d, the NHS dictionary of medicines: from the code of a product to our medicine, its route and its strength.

Three routes, all by tables: a VTM's own id; a dm+d release (pack to product to VTM); code lists with a BNF code.
"""

from features.records.sources.dmd.products import Product, Products, load_products

__all__ = ["Product", "Products", "load_products"]
