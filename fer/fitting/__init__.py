"""A classifier of one's own on the embeddings of a checkpoint, from a folder of photos; without PyTorch."""
