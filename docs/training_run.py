"""A small language model trained on an export: killed, it goes on at the same sample; a bad batch is told by its places.

    python training_run.py tokens/train-00000-of-00001.npy --vocabulary 257

The model predicts the next token; that it is small is the one thing here that a real job does otherwise.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

LENGTH, BATCH, SAVE_EVERY = 128, 8, 10


class Model(torch.nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, 48)
        self.read = torch.nn.GRU(48, 96, batch_first=True)
        self.say = torch.nn.Linear(96, vocabulary)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.say(self.read(self.embed(tokens))[0])


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("tokens", type=Path)
    options.add_argument("--vocabulary", type=int, required=True)
    options.add_argument("--steps", type=int, help="default: one epoch")
    options.add_argument("--state", type=Path, default=Path("state.pt"))
    given = options.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokens = np.memmap(given.tokens, dtype=np.uint16, mode="r")  # exports.json says the type
    samples = (len(tokens) - 1) // LENGTH
    steps = given.steps or samples // BATCH
    model = Model(given.vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    step, losses = 0, []
    if given.state.exists():  # the step says which samples were read: the export is shuffled already, and read in order
        state = torch.load(given.state, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, losses = state["step"], state["losses"]
        print(f"resumes at step {step}, sample {step * BATCH % samples}", flush=True)

    while step < steps:
        first = step * BATCH % samples
        places = [(first + n) % samples * LENGTH for n in range(BATCH)]
        batch = torch.stack([torch.from_numpy(tokens[at : at + LENGTH + 1].astype(np.int64)) for at in places])
        said = model(batch[:, :-1])
        each = torch.nn.functional.cross_entropy(said.flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
        loss = each.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        losses.append(loss.item())
        print(f"step {step}, sample {first}, loss {loss.item():.6f}", flush=True)
        recent = losses[-31:-1]
        if len(recent) >= 20 and loss.item() > 1.5 * float(np.median(recent)):
            worst = int(each.view(BATCH, LENGTH).mean(1).argmax())
            print(
                f"bad batch: most of all sample {first + worst}, tokens {places[worst]} to {places[worst] + LENGTH}", flush=True
            )
        if step % SAVE_EVERY == 0 or step == steps:
            held = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "losses": losses}
            torch.save(held, f"{given.state}.new")
            os.replace(f"{given.state}.new", given.state)  # a kill leaves the old state or the new one


if __name__ == "__main__":
    main()
