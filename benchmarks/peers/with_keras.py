"""Keras; KERAS_BACKEND says on what."""

from __future__ import annotations

import keras
from job import EpochTimes, Job, Stopwatch
from keras import layers


class Timing(EpochTimes, keras.callbacks.Callback):
    """Times the epochs."""


job = Job.from_command_line()
keras.utils.set_random_seed(0)
x, y = job.examples()
model = keras.Sequential([keras.Input((job.widths[0],))])
for units in job.widths[1:-1]:
    model.add(layers.Dense(units, activation="relu"))
    if job.dropout:
        model.add(layers.Dropout(job.dropout))
model.add(layers.Dense(job.widths[-1]))
model.set_weights([array for pair in job.first_weights() for array in pair])
model.compile(
    optimizer=keras.optimizers.Adam(job.lr, epsilon=1e-8),  # the others' default
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
stopwatch = Stopwatch()
model.fit(x, y, batch_size=job.batch_size, epochs=job.epochs, verbose=0, callbacks=[Timing(stopwatch)])
job.finish(stopwatch.seconds, model.predict(job.held_out_features(), batch_size=1000, verbose=0))
