"""What happens along a trajectory: the analyses of the RaML paper (arXiv 2505.19815) over a whole stored run."""
