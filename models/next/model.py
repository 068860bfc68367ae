"""A variable-order Markov model over one user's own history.

The probability of the next exercise after a context of k tokens blends what followed that context
with what followed its last k − 1 tokens (Witten & Bell 1991, method C):

    p_k(e) = (n_k(e) + t_k · p_{k−1}(e)) / (n_k + t_k)

n_k(e): how often e followed the context, t_k: how many different exercises did. p_{−1} is uniform.
A long context that was never seen leaves the word to a shorter one. Older sessions count less.

The model is the history itself: counting means comparing the context with all places of the history
at once. So the model goes on with what was done since it was learned (`continued`): a new plan is
known after its first visit, not after the next training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints16, Ints64
from models.history import SetLog
from models.next.features import START, tokens_of


@dataclass(frozen=True, slots=True)
class NextModel:
    """What was learned of one user.

    Attributes:
        exercises: those that are known; the k-th has the token k + 1.
        tokens: int16 (n,), oldest first.
        weights: float64 (n,): how much each place counts.
        order: longest context.
        half_life_sessions: a session this much older counts half.
        until_s: begin of the newest set that is in it, seconds since the epoch.
    """

    exercises: tuple[str, ...]
    tokens: Ints16
    weights: Floats64
    order: int
    half_life_sessions: float
    until_s: float

    def continued(self, log: SetLog) -> "NextModel":
        """The model with the sets of `log` that began after it was learned.

        Args:
            log: the user's history; sets that the model knows are passed over.
        """
        since = log.where(log.started_s > self.until_s)
        if not len(since):
            return self
        known = set(self.exercises)
        exercises = self.exercises + tuple(sorted({str(e) for e in since.exercise} - known))
        tokens, sessions = tokens_of(since, exercises)
        before = log.session[log.started_s <= self.until_s]
        goes_on = bool(len(before)) and before[-1] == sessions[0]
        first = int(goes_on)  # the session had begun: its mark is in the model already
        newer = len(np.unique(sessions)) - first
        weights = decayed(tokens, int(sessions[-1]) - sessions, self.half_life_sessions)
        faded = self.weights * 0.5 ** (newer / self.half_life_sessions)
        return NextModel(
            exercises,
            np.append(self.tokens, tokens[first:]),
            np.append(faded, weights[first:]),
            self.order,
            self.half_life_sessions,
            float(since.started_s[-1]),
        )

    def probabilities(self, context: Ints16) -> Floats64:
        """Probability of each exercise to follow `context`, float64 (exercises,), sum 1.

        Args:
            context: tokens before, the newest last; only the last `order` are looked at.
        """
        known = len(self.exercises)
        blended = np.full(known, 1 / known)
        follows = self.tokens != START
        match = follows.copy()
        for length in range(self.order + 1):
            if length:
                if length > len(context):
                    break
                same = np.zeros(len(self.tokens), np.bool_)
                same[length:] = self.tokens[:-length] == context[-length]
                match &= same
            places = np.flatnonzero(match)
            if not len(places):
                break
            after = self.tokens[places] - 1
            count = np.bincount(after, self.weights[places], minlength=known)
            kinds = np.count_nonzero(count)
            blended = (count + kinds * blended) / (count.sum() + kinds)
        return blended

    def predict(
        self, session: Sequence[str], *, before: Sequence[str] = (), n: int = 3
    ) -> tuple[tuple[str, float], ...]:
        """The `n` most probable next exercises with their probabilities, the best first.

        Args:
            session: exercises of the sets of the session so far; empty: it has not begun.
            before: exercises of the sets of the session before, where that is known.
            n: how many.
        """
        number = {name: token for token, name in enumerate(self.exercises, start=1)}
        line = [*(number.get(name, -1) for name in before), START]
        line += [number.get(name, -1) for name in session]
        chance = self.probabilities(np.array(line, np.int16))
        best = np.argsort(-chance, kind="stable")[:n].tolist()
        return tuple((self.exercises[place], float(chance[place])) for place in best)


def decayed(tokens: Ints16, sessions_ago: Ints64, half_life_sessions: float) -> Floats64:
    """How much each token counts, float64 (n,): beginnings follow nothing and count 0.

    >>> decayed(np.array([START, 1, START, 2], np.int16), np.array([2, 2, 0, 0]), 2.0).tolist()
    [0.0, 0.5, 0.0, 1.0]
    """
    return np.where(tokens == START, 0.0, 0.5 ** (sessions_ago / half_life_sessions))
