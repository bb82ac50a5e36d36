#!/bin/sh
# Starts upstream in an image: gives it the kernels that the build compiled, then becomes it.
set -eu
if [ -d /opt/upstream/kernels ] && [ ! -d "$NUMBA_CACHE_DIR" ]; then
    cp -R /opt/upstream/kernels "$NUMBA_CACHE_DIR"
fi
exec upstream "$@"
