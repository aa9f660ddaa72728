"""Backpropagation written out, as the lecture writes it: every layer's forward and backward pass, without autograd.

For stacks of dense, activation, dropout, norm and output with any loss. All weights lie in one flat vector, and so do
their gradients; nothing is allocated from step to step.

Everything has a leading axis of members: networks of the same shapes that are trained side by side. An ordinary run has
one. Shapes in this folder: M members, B examples of a batch, F features, U units, K outputs of the network.
"""
