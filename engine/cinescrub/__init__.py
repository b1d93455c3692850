"""De-identify ultrasound cine DICOM on ONNX Runtime: burned-in text, header and container."""

__version__ = "0.1.0"
