"""Makes the embedding model of the API image: all-MiniLM-L6-v2 as ONNX, from published weights, bit for bit the same."""
