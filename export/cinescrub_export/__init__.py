"""Turn published checkpoints into ONNX bundles. Imported by nothing in the engine."""
