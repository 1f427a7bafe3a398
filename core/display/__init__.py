"""How readings become colours and pictures, the same in every front end: lenses, palettes, SVG."""
