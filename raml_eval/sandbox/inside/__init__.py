"""What runs inside the sandbox: standard library only, since nothing else of this package is there."""
