"""A perceptron in plain numpy, and Iterative Reduce: many train on their split, one is averaged.

Source: McDonald, Hall, Mann, "Distributed Training Strategies for the Structured Perceptron",
NAACL 2010 (iterative parameter mixing). Without hidden layers it is
a multinomial logistic regression, which `as_global` turns into an exercise model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models import codec
from models.arrays import Floats32, Ints64
from models.codec import FLOAT16_MAX
from models.exercise.model import ExerciseModel, LowRateDiscriminant
from models.exercise.probability import Calibration
from models.softmax import log_losses
from schemas.errors import BadModelBytes, NotEnoughLabels

TAG = "muvr-exercise-perceptron-1"


@dataclass(frozen=True, slots=True)
class PerceptronSettings:
    """How a perceptron is trained.

    Attributes:
        hidden: sizes of the layers between features and exercises; () for none.
        learning_rate: length of a step, as a share of the gradient.
        momentum: share of the last step that is gone again.
        l2: pull of the weights towards zero.
        batch: windows per step.
        seed: of the first weights and of the order of windows.
    """

    hidden: tuple[int, ...] = ()
    learning_rate: float = 0.02
    momentum: float = 0.9
    l2: float = 1e-3
    batch: int = 64
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Perceptron:
    """Weights (a, b) and biases (b,) of every layer, float32; rectified in between."""

    weights: tuple[Floats32, ...]
    biases: tuple[Floats32, ...]

    def scores(self, x: Floats32) -> Floats32:
        """Scores before softmax, float32 (m, k), of standardised features (m, d)."""
        return _layers(self, x)[-1]


Worker = Callable[[Perceptron, int], Sequence[tuple[Perceptron, float]]]


def start(features: int, labels: int, settings: PerceptronSettings) -> Perceptron:
    """Small random weights (He et al. 2015), the same for the same seed."""
    rng = np.random.default_rng(settings.seed)
    sizes = (features, *settings.hidden, labels)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairs]
    weights[-1] *= np.float32(0.1)  # nobody is sure of anything yet
    return Perceptron(tuple(weights), tuple(np.zeros(b, dtype=np.float32) for _, b in pairs))


def epoch(
    model: Perceptron, x: Floats32, y: Ints64, settings: PerceptronSettings, round_number: int
) -> Perceptron:
    """One pass over the windows in an order that seed and round decide.

    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    >>> y = np.array([0, 1])
    >>> model = start(2, 2, PerceptronSettings())
    >>> for round_number in range(50):
    ...     model = epoch(model, x, y, PerceptronSettings(learning_rate=0.5), round_number)
    >>> error(model, x, y)
    0.0
    """
    rng = np.random.default_rng([settings.seed, round_number])
    weights = [w.copy() for w in model.weights]
    biases = [b.copy() for b in model.biases]
    velocities = [np.zeros_like(p) for p in (*weights, *biases)]
    order = rng.permutation(len(x))
    for first in range(0, len(order), settings.batch):
        rows = order[first : first + settings.batch]
        now = Perceptron(tuple(weights), tuple(biases))
        gradients = _gradients(now, x[rows], y[rows], settings.l2)
        for parameter, gradient, velocity in zip(
            (*weights, *biases), gradients, velocities, strict=True
        ):
            velocity *= np.float32(settings.momentum)
            velocity -= np.float32(settings.learning_rate) * gradient
            parameter += velocity
    return Perceptron(tuple(weights), tuple(biases))


def average(parts: Sequence[tuple[Perceptron, float]]) -> Perceptron:
    """The mean of one or more perceptrons of one shape, each with the weight of its windows.

    >>> low, high = (Perceptron((np.full((1, 1), v, np.float32),), ()) for v in (1, 4))
    >>> average([(low, 2.0), (high, 1.0)]).weights[0].tolist()
    [[2.0]]

    Raises:
        NotEnoughLabels: there is none: no worker had a window.
    """
    if not parts:
        raise NotEnoughLabels("no worker had a window to learn from")
    total = sum(weight for _, weight in parts)

    def mean(layers: Sequence[tuple[Floats32, ...]]) -> tuple[Floats32, ...]:
        """Layer by layer, from the layers of each perceptron; float32."""
        shares = [np.float32(weight / total) for _, weight in parts]
        return tuple(
            np.sum([share * layer for share, layer in zip(shares, several, strict=True)], axis=0)
            for several in zip(*layers, strict=True)
        )

    return Perceptron(mean([p.weights for p, _ in parts]), mean([p.biases for p, _ in parts]))


def iterative_reduce(
    first: Perceptron,
    work: Worker,
    check: Callable[[Perceptron], float],
    *,
    patience: int = 3,
    gain: float = 0.01,
    rounds: int = 40,
) -> tuple[Perceptron, tuple[float, ...]]:
    """Train, average, send back, until the error stops falling.

    Args:
        first: where all workers begin.
        work: (model, round) to each worker's model and the number of its windows.
        check: error of a model on windows that no worker trains on.
        patience: rounds without a new best after which it ends.
        gain: share by which a round must be better to count as a new best.
        rounds: at most.

    Returns:
        the model of the best round, and the error after every round.
    """
    best, least = first, float("inf")
    model, errors, waited = first, list[float](), 0
    while len(errors) < rounds:
        model = average(work(model, len(errors)))
        errors.append(check(model))
        if errors[-1] < least * (1 - gain):
            best, least, waited = model, errors[-1], 0
        else:
            waited += 1
        if waited == patience:
            break
    return best, tuple(errors)


def error(model: Perceptron, x: Floats32, y: Ints64) -> float:
    """Share of windows (m, d), m ≥ 1, that are named otherwise than their labels (m,)."""
    return float((model.scores(x).argmax(axis=1) != y).mean())


def loss(model: Perceptron, x: Floats32, y: Ints64) -> float:
    """Mean -log probability of the labels (m,) of windows (m, d), m ≥ 1; nats."""
    return float(log_losses(model.scores(x).astype(np.float64), y).mean())


def as_global(model: Perceptron, like: ExerciseModel) -> ExerciseModel:
    """A perceptron without hidden layers as the model that serves people who were never seen.

    Args:
        model: trained on `like.standardised(x)`, its outputs in the order of `like.labels`.
        like: gives standardisation, prototypes, the border of the unknown and the low-rate
            discriminant, whose probabilities stay those of `like`.

    Raises:
        ValueError: it has hidden layers.
    """
    if len(model.weights) != 1:
        raise ValueError(f"{len(model.weights) - 1} hidden layers do not fit a linear model")
    weights = np.clip(model.weights[0].T, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
    trusted: Calibration = replace(like.calibration, window=1.0)  # it learned probabilities
    return replace(
        like,
        weights=weights,
        bias=model.biases[0],
        calibration=trusted,
        low_rate=_calibrated(like.low_rate, like.calibration.window),
    )


def _calibrated(low_rate: LowRateDiscriminant | None, window: float) -> LowRateDiscriminant | None:
    """The same discriminant with the factor of a calibration in its scores."""
    if low_rate is None:
        return None
    bias = (low_rate.bias * window).astype(np.float32)
    return replace(low_rate, step=low_rate.step * window, bias=bias)


def perceptron_to_bytes(model: Perceptron) -> bytes:
    """The form in which parameters travel and are kept."""
    arrays = {f"w{n}": w for n, w in enumerate(model.weights)}
    arrays |= {f"b{n}": b for n, b in enumerate(model.biases)}
    return codec.pack(TAG, {"layers": len(model.weights)}, arrays)


def perceptron_from_bytes(blob: bytes) -> Perceptron:
    """The perceptron of `perceptron_to_bytes`.

    Raises:
        BadModelBytes: anything else.
    """
    meta, arrays = codec.unpack(blob, TAG)
    try:
        layers = range(int(meta["layers"]))
        return Perceptron(
            tuple(arrays[f"w{n}"] for n in layers), tuple(arrays[f"b{n}"] for n in layers)
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise BadModelBytes(f"not a perceptron: {problem}") from problem


def _layers(model: Perceptron, x: Floats32) -> list[Floats32]:
    """What every layer puts out, the input first."""
    activations = [x]
    last = len(model.weights) - 1
    for n, (w, b) in enumerate(zip(model.weights, model.biases, strict=True)):
        z = activations[-1] @ w + b
        activations.append(z if n == last else np.maximum(z, 0))
    return activations


def _gradients(model: Perceptron, x: Floats32, y: Ints64, l2: float) -> list[Floats32]:
    """Gradients of the mean loss by every weight, then by every bias."""
    layers = _layers(model, x)
    p = np.exp(layers[-1] - layers[-1].max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    back = p / np.float32(len(y))
    weights: list[Floats32] = []
    biases: list[Floats32] = []
    for n in reversed(range(len(model.weights))):
        weights.append(layers[n].T @ back + np.float32(l2) * model.weights[n])
        biases.append(back.sum(axis=0))
        back = (back @ model.weights[n].T) * (layers[n] > 0)
    return [*reversed(weights), *reversed(biases)]
