"""Sessions that hold to their contract. The only room that imports ONNX Runtime."""
