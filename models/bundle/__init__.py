"""The files of a bundle: its manifest, the hashes that are checked before anything is read, and atomic writes."""
