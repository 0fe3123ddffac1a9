"""What the product promises when something breaks, proved with real processes."""
