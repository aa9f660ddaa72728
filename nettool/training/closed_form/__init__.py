"""Backpropagation written out, as the lecture writes it: every layer's forward and backward pass, without autograd.

For stacks of dense, activation, dropout, norm and output with any loss. All weights lie in one flat vector, and so do
their gradients; from step to step nothing is allocated, unless batches are accumulated or gradients clipped.

Tensors have a leading axis of members: networks of the same shapes that are trained side by side. A run has one, and so
far the step, the running means of batch norm and the optimizers know of one alone. Shapes in this folder: M members,
B examples of a batch, F features, U units, K outputs of the network.
"""
