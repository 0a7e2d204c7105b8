"""The modules that run inside a sandbox. They use only the standard library, because nothing else of this package is there."""
