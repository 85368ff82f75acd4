"""`pfs predict`: the classes of pictures of any kind and size. ONNX Runtime, NumPy, Pillow and tqdm suffice."""
