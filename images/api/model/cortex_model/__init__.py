"""Makes the API image's embedding model: all-MiniLM-L6-v2 as ONNX, from published weights, always the same bits."""
