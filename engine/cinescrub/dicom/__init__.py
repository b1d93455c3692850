"""From file to header and frames and back: the only room that imports pydicom."""
