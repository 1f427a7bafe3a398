"""What is learnt, on disk: safetensors with one JSON card; directions and sets of neurons; where they lie and how they are found."""
