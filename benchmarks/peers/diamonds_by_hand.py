"""A price from a table with numbers and categories, as one writes it by hand: pandas, a DataLoader, a validated loop.

    python diamonds_by_hand.py TRAIN.csv VALIDATION.csv RESULT.json

Writes the root mean square error of the price on the validation rows after the best epoch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CATEGORIES = ["cut", "color", "clarity"]
NUMBERS = ["carat", "depth", "table", "x", "y", "z"]
EPOCHS, BATCH_SIZE, LR = 5, 256, 0.001

torch.manual_seed(0)
train, validation = pd.read_csv(sys.argv[1]), pd.read_csv(sys.argv[2])
frame = pd.concat([train, validation], ignore_index=True)
train_rows, validation_rows = slice(len(train)), slice(len(train), None)

table = pd.get_dummies(frame[NUMBERS + CATEGORIES], columns=CATEGORIES, dtype="float32")
table[NUMBERS] = (table[NUMBERS] - train[NUMBERS].mean()) / train[NUMBERS].std()
mean, deviation = train["price"].mean(), train["price"].std()
x = torch.tensor(table.to_numpy("float32"))
y = torch.tensor(((frame["price"] - mean) / deviation).to_numpy("float32"))[:, None]

train_loader = DataLoader(TensorDataset(x[train_rows], y[train_rows]), batch_size=BATCH_SIZE, shuffle=True)
validation_loader = DataLoader(TensorDataset(x[validation_rows], y[validation_rows]), batch_size=BATCH_SIZE)
network = nn.Sequential(nn.Linear(x.shape[1], 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(network.parameters(), lr=LR)
criterion = nn.MSELoss()
best = float("inf")
for epoch in range(EPOCHS):
    network.train()
    for features, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(network(features), target)
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        squares = sum(((network(features) - target) ** 2).sum().item() for features, target in validation_loader)
    rmse = deviation * (squares / len(validation)) ** 0.5
    print(f"epoch {epoch + 1}: validation rmse {rmse:.1f}")
    best = min(best, rmse)
torch.save(network.state_dict(), "network.pt")
Path(sys.argv[3]).write_text(json.dumps(best))
