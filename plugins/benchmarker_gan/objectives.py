"""What discriminators and generators are trained for.

An objective has two methods, each of which returns a scalar to make smaller and what is worth watching. Logits are
positive where the discriminator takes an image for real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Losses = tuple[Any, Mapping[str, Any]]


class Judgement(NamedTuple):
    """What a discriminator says of n images.

    Parameters
    ----------
    logit : tensor of shape (n, 1)
        Positive for real.
    conditions : tensor of shape (n, size), or None
        What it takes for the conditions of the images, encoded; classes as logits.
    """

    logit: Any
    conditions: Any = None


class Objective(Protocol):
    """What both networks are trained for."""

    def discriminator(self, real: Judgement, fake: Judgement, conditions: Any) -> Losses:
        """Return the discriminator's loss on as many real as generated images."""

    def generator(self, fake: Judgement, conditions: Any) -> Losses:
        """Return the generator's loss."""


def watched(real: Judgement, fake: Judgement, real_loss: Any, fake_loss: Any) -> dict[str, Any]:
    """Return the discriminator's losses, and the shares of images that it judges rightly."""
    from keras import ops

    return {
        "d_loss_real": real_loss,
        "d_loss_fake": fake_loss,
        "d_real_accuracy": ops.mean(ops.cast(real.logit > 0, "float32")),
        "d_fake_accuracy": ops.mean(ops.cast(fake.logit < 0, "float32")),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEntropy:
    """Binary cross-entropy on logits, with the generator's loss that does not saturate.

    References
    ----------
    Goodfellow et al. 2014, *Generative Adversarial Networks*, arXiv:1406.2661.
    """

    def discriminator(self, real: Judgement, fake: Judgement, conditions: Any) -> Losses:  # noqa: ARG002
        """Return the cross-entropy of real images as real plus that of generated ones as generated."""
        real_loss, fake_loss = real_entropy(real), fake_entropy(fake)
        return real_loss + fake_loss, watched(real, fake, real_loss, fake_loss)

    def generator(self, fake: Judgement, conditions: Any) -> Losses:  # noqa: ARG002
        """Return the cross-entropy of generated images as real."""
        loss = real_entropy(fake)
        return loss, {"g_loss": loss}


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardedError:
    """The published losses of the conditional system: cross-entropy, and the error of predicted conditions.

    The discriminator's term ``max(E(real) - E(fake), 0)``, with ``E`` the squared error summed over the conditions and
    averaged over the images, becomes small also when it predicts the conditions of *generated* images badly. What the
    generator can learn from its predictions is then not what the conditions are, which is one way to galaxies that do
    not follow them.

    Parameters
    ----------
    weight : float
        Of the cross-entropy; 50 as published.
    """

    weight: float

    def discriminator(self, real: Judgement, fake: Judgement, conditions: Any) -> Losses:
        """Return ``max(E(real) - E(fake), 0) + weight * (cross-entropies)``."""
        from keras import ops

        real_loss, fake_loss = real_entropy(real), fake_entropy(fake)
        real_error = squared_error(real.conditions, conditions)
        fake_error = squared_error(fake.conditions, conditions)
        loss = ops.maximum(real_error - fake_error, 0.0) + self.weight * (real_loss + fake_loss)
        errors = {"d_condition_error_real": real_error, "d_condition_error_fake": fake_error}
        return loss, watched(real, fake, real_loss, fake_loss) | errors

    def generator(self, fake: Judgement, conditions: Any) -> Losses:
        """Return ``E(fake) + weight * cross-entropy``."""
        error, loss = squared_error(fake.conditions, conditions), real_entropy(fake)
        return error + self.weight * loss, {"g_loss": loss, "g_condition_error": error}


@dataclass(frozen=True, slots=True, kw_only=True)
class HingeWithJudge:
    """Hinge loss, and conditions that are learnt from real images alone.

    The discriminator never hears which conditions a generated image was made for, so what it says of an image is what
    real images taught it, and the generator can only agree by following its conditions.

    Parameters
    ----------
    n_classes : int
        The first of the conditions are a class, one-hot; the others are continuous.
    class_weight, attribute_weight : float
        Of the cross-entropy of the class, and of the mean squared error of each continuous condition.

    References
    ----------
    Hinge loss: Lim & Ye 2017, *Geometric GAN*, arXiv:1705.02894. Predicted conditions: Odena et al. 2017, *Conditional
    Image Synthesis with Auxiliary Classifier GANs*, arXiv:1610.09585, there also learnt from generated images.
    """

    n_classes: int
    class_weight: float
    attribute_weight: float

    def discriminator(self, real: Judgement, fake: Judgement, conditions: Any) -> Losses:
        """Return the hinge loss plus the error of conditions on real images."""
        from keras import ops

        real_loss = ops.mean(ops.relu(1.0 - real.logit))
        fake_loss = ops.mean(ops.relu(1.0 + fake.logit))
        loss, measured = real_loss + fake_loss, watched(real, fake, real_loss, fake_loss)
        if real.conditions is not None:
            error = self._error(real.conditions, conditions)
            loss, measured = loss + error, measured | {"d_condition_error_real": error}
        return loss, measured

    def generator(self, fake: Judgement, conditions: Any) -> Losses:
        """Return the mean of the negative logits plus the error of conditions on generated images."""
        from keras import ops

        loss = -ops.mean(fake.logit)
        if fake.conditions is None:
            return loss, {"g_loss": loss}
        error = self._error(fake.conditions, conditions)
        return loss + error, {"g_loss": loss, "g_condition_error": error}

    def _error(self, predicted: Any, conditions: Any) -> Any:
        from keras import ops

        error = ops.zeros(())
        n = self.n_classes
        if n:
            entropy = ops.categorical_crossentropy(conditions[:, :n], predicted[:, :n], from_logits=True)
            error = error + self.class_weight * ops.mean(entropy)
        if conditions.shape[1] > n:
            error = error + self.attribute_weight * squared_error(predicted[:, n:], conditions[:, n:])
        return error


def real_entropy(judgement: Judgement) -> Any:
    """Return the mean cross-entropy of images as real."""
    from keras import ops

    return ops.mean(ops.softplus(-judgement.logit))


def fake_entropy(judgement: Judgement) -> Any:
    """Return the mean cross-entropy of images as generated."""
    from keras import ops

    return ops.mean(ops.softplus(judgement.logit))


def squared_error(predicted: Any, conditions: Any) -> Any:
    """Return the squared distance of predicted from true conditions, averaged over the images."""
    from keras import ops

    return ops.mean(ops.sum(ops.square(predicted - conditions), axis=1))
