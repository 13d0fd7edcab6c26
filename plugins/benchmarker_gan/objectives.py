r"""Objectives: the losses that discriminators and generators minimise.

An objective has one method per network. Each returns a scalar loss and the values to record. In the equations,
:math:`D(x)` is the logit of an image, positive where the discriminator considers it real; x are real images, G(z) are
generated ones, and :math:`\zeta(a) = \log(1 + e^a)` is the softplus function. Expectations are means over a batch.

*Auxiliary* objectives also train the discriminator to predict the conditions of an image (its class, redshift and so
on), and the generator to make images whose predicted conditions are the requested ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Losses = tuple[Any, Mapping[str, Any]]


class DiscriminatorOutput(NamedTuple):
    """Output of a discriminator for n images.

    Parameters
    ----------
    logit : tensor of shape (n, 1)
        Positive where an image is considered real.
    conditions : tensor of shape (n, size), or None
        Predicted conditions in their encoded form, classes as logits; None without an auxiliary output.
    """

    logit: Any
    conditions: Any = None


class Objective(Protocol):
    """Losses of both networks."""

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the loss of the discriminator on equally many real and generated images.

        Parameters
        ----------
        real, fake : DiscriminatorOutput
            Output for real and for generated images.
        conditions : tensor of shape (n, size)
            Encoded conditions of the real images, which the generated ones were made for.

        Returns
        -------
        loss : scalar tensor
            Loss to minimise.
        measured : mapping of str to scalar tensor
            Values to record.
        """

    def generator(self, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the loss of the generator on generated images; arguments and results as of `discriminator`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NonSaturating:
    r"""Binary cross-entropy with the non-saturating loss of the generator.

    .. math:: L_D = \langle \zeta(-D(x)) \rangle + \langle \zeta(D(G(z))) \rangle, \qquad
              L_G = \langle \zeta(-D(G(z))) \rangle

    The minimax loss of the generator, :math:`-L_D`, saturates: its gradient vanishes while the discriminator rejects
    every generated image. This one does not.

    References
    ----------
    Goodfellow et al. 2014, *Generative Adversarial Networks*, arXiv:1406.2661, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> undecided = DiscriminatorOutput(np.zeros((4, 1), np.float32))
    >>> loss, _ = NonSaturating().discriminator(undecided, undecided, None)
    >>> round(float(loss), 4)
    1.3863
    """

    def discriminator(
        self,
        real: DiscriminatorOutput,
        fake: DiscriminatorOutput,
        conditions: Any,  # noqa: ARG002 - part of the protocol
    ) -> Losses:
        """Return the sum of the cross-entropies of real and of generated images."""
        real_loss, fake_loss = _cross_entropy_as_real(real), _cross_entropy_as_fake(fake)
        return real_loss + fake_loss, _measured(real, fake, real_loss, fake_loss)

    def real_half(self, real: DiscriminatorOutput) -> Losses:
        """Return the cross-entropy of real images alone, for a discriminator that is updated twice in a step."""
        loss = _cross_entropy_as_real(real)
        return loss, {"d_loss_real": loss, "d_real_accuracy": accuracy(real, real=True)}

    def fake_half(self, fake: DiscriminatorOutput) -> Losses:
        """Return the cross-entropy of generated images alone, for a discriminator that is updated twice in a step."""
        loss = _cross_entropy_as_fake(fake)
        return loss, {"d_loss_fake": loss, "d_fake_accuracy": accuracy(fake, real=False)}

    def generator(self, fake: DiscriminatorOutput, conditions: Any) -> Losses:  # noqa: ARG002 - part of the protocol
        """Return the cross-entropy of generated images labelled as real."""
        loss = _cross_entropy_as_real(fake)
        return loss, {"g_loss": loss}


@dataclass(frozen=True, slots=True, kw_only=True)
class NonSaturatingAuxiliary:
    r"""Non-saturating loss with predicted conditions, as published for the conditional GAN of optical galaxies.

    .. math:: L_D = \max(E_\mathrm{real} - E_\mathrm{fake}, 0) + w L_D^\mathrm{NS}, \qquad
              L_G = E_\mathrm{fake} + w L_G^\mathrm{NS}, \qquad
              E = \frac{1}{2} \sum_{i=1}^{B} \sum_k (\hat c_{ik} - c_{ik})^2

    with predicted conditions :math:`\hat c`, and NS the losses of `NonSaturating`. E is a sum over the batch and NS is
    a mean, so the weight of the conditions grows with the batch size B.

    The first term is also small if the discriminator predicts the conditions of *generated* images badly. The generator
    may then learn predictions that say little about the conditions, which is one way to galaxies that do not follow
    them.

    Parameters
    ----------
    adversarial_weight : float
        Weight w of the adversarial loss; 50 as published.
    """

    adversarial_weight: float

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the excess error of the conditions of real images plus the weighted cross-entropies."""
        from keras import ops

        real_loss, fake_loss = _cross_entropy_as_real(real), _cross_entropy_as_fake(fake)
        real_error = _half_sum_of_squares(real.conditions, conditions)
        fake_error = _half_sum_of_squares(fake.conditions, conditions)
        loss = ops.maximum(real_error - fake_error, 0.0) + self.adversarial_weight * (real_loss + fake_loss)
        errors = {"d_condition_error_real": real_error, "d_condition_error_fake": fake_error}
        return loss, _measured(real, fake, real_loss, fake_loss) | errors

    def generator(self, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the error of the conditions of generated images plus the weighted cross-entropy."""
        error, loss = _half_sum_of_squares(fake.conditions, conditions), _cross_entropy_as_real(fake)
        return error + self.adversarial_weight * loss, {"g_loss": loss, "g_condition_error": error}


@dataclass(frozen=True, slots=True, kw_only=True)
class HingeAuxiliary:
    r"""Hinge loss, with conditions predicted by an auxiliary output that learns from real images only.

    .. math:: L_D = \langle \max(0, 1 - D(x)) \rangle + \langle \max(0, 1 + D(G(z))) \rangle + A(x), \qquad
              L_G = -\langle D(G(z)) \rangle + A(G(z))

    A is the weighted cross-entropy of the predicted class plus the weighted squared error of the predicted continuous
    conditions, and 0 without an auxiliary output. The discriminator never learns the requested conditions of a
    generated image, so its predictions express what real images of a condition look like. The generator can match them
    only by following its conditions.

    Parameters
    ----------
    n_classes : int
        Number of leading entries of a condition that encode the class one-hot; the others are continuous.
    class_weight, attribute_weight : float
        Weights of the cross-entropy of the class and of the squared error of the continuous conditions.

    References
    ----------
    Hinge loss: Lim & Ye 2017, *Geometric GAN*, arXiv:1705.02894. Auxiliary predictions: Odena et al. 2017, *Conditional
    Image Synthesis with Auxiliary Classifier GANs*, arXiv:1610.09585, who learn them from generated images as well.
    """

    n_classes: int
    class_weight: float
    attribute_weight: float

    def discriminator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the hinge loss plus the error of the conditions of real images."""
        from keras import ops

        real_loss = ops.mean(ops.relu(1.0 - real.logit))
        fake_loss = ops.mean(ops.relu(1.0 + fake.logit))
        loss, measured = real_loss + fake_loss, _measured(real, fake, real_loss, fake_loss)
        if real.conditions is not None:
            error = self._condition_error(real.conditions, conditions)
            loss, measured = loss + error, measured | {"d_condition_error_real": error}
        return loss, measured

    def generator(self, fake: DiscriminatorOutput, conditions: Any) -> Losses:
        """Return the negative mean logit plus the error of the conditions of generated images."""
        from keras import ops

        loss = -ops.mean(fake.logit)
        if fake.conditions is None:
            return loss, {"g_loss": loss}
        error = self._condition_error(fake.conditions, conditions)
        return loss + error, {"g_loss": loss, "g_condition_error": error}

    def _condition_error(self, predicted: Any, conditions: Any) -> Any:
        from keras import ops

        error = ops.zeros(())
        n = self.n_classes
        if n:
            entropy = ops.categorical_crossentropy(conditions[:, :n], predicted[:, :n], from_logits=True)
            error = error + self.class_weight * ops.mean(entropy)
        if conditions.shape[1] > n:
            error = error + self.attribute_weight * _squared_error(predicted[:, n:], conditions[:, n:])
        return error


def _measured(real: DiscriminatorOutput, fake: DiscriminatorOutput, real_loss: Any, fake_loss: Any) -> dict[str, Any]:
    """Return the losses of the discriminator and the fractions of images that it classifies correctly."""
    return {
        "d_loss_real": real_loss,
        "d_loss_fake": fake_loss,
        "d_real_accuracy": accuracy(real, real=True),
        "d_fake_accuracy": accuracy(fake, real=False),
    }


def accuracy(output: DiscriminatorOutput, *, real: bool) -> Any:
    """Return the fraction of images that a discriminator classifies correctly."""
    from keras import ops

    return ops.mean(ops.cast(output.logit > 0 if real else output.logit < 0, "float32"))


def _cross_entropy_as_real(output: DiscriminatorOutput) -> Any:
    """Return the mean cross-entropy of images labelled as real."""
    from keras import ops

    return ops.mean(ops.softplus(-output.logit))


def _cross_entropy_as_fake(output: DiscriminatorOutput) -> Any:
    """Return the mean cross-entropy of images labelled as generated."""
    from keras import ops

    return ops.mean(ops.softplus(output.logit))


def _squared_error(predicted: Any, conditions: Any) -> Any:
    """Return the squared distance between predicted and true conditions, averaged over the images."""
    from keras import ops

    return ops.mean(ops.sum(ops.square(predicted - conditions), axis=1))


def _half_sum_of_squares(predicted: Any, conditions: Any) -> Any:
    """Return half the squared error of predicted conditions, summed over images and conditions."""
    from keras import ops

    return 0.5 * ops.sum(ops.square(predicted - conditions))
