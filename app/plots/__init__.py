"""What the browser draws with Plotly."""
