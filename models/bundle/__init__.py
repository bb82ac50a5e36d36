"""Files of a bundle: the manifest, the hashes that are checked before anything is read, and atomic writes."""
