"""The loss of gold answers over a plane in the space of weights, and the way that a thinking goes in it.

Read surface.draw_landscape from its top.
"""
