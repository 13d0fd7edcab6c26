"""The fifteen networks of the radio comparison, one module per paper, and variants that its lists name.

Each row of the tables registers a network. Keras is imported only when a network is built.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarker import Architecture, Registrar, hookimpl


class _Row(NamedTuple):
    name: str
    module: str
    options: str
    minimum_size: int
    citation: str
    summary: str
    # Spellings in the published lists of the comparison, if they differ in more than case and separators.
    aliases: tuple[str, ...] = ()


_NETWORKS = (
    _Row("alexnet", "krizhevsky2012", "network:NetworkOptions", 195, "doi:10.1145/3065386",
         "AlexNet without padding, with batch normalisation of the dense layers", ("alexnet_real_do_seed",)),
    _Row("alexnet_bn", "krizhevsky2012", "network:NormalisedOptions", 195, "2021MNRAS.503.1828B",
         "AlexNet with batch normalisation throughout", ("alexnet_adapted",)),
    _Row("atlas", "alger2018", "alger2018:AtlasOptions", 1, "2018MNRAS.478.5547A",
         "Two wide convolutions and a sigmoid output, for host galaxies in ATLAS"),
    _Row("conv4", "lukic2019", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Four convolutions, compared with capsule networks", ("convnet4",)),
    _Row("conv8", "lukic2019", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Eight convolutions, compared with capsule networks", ("convnet8",)),
    _Row("convxpress", "becker2021", "network:NetworkOptions", 1, "2021MNRAS.503.1828B",
         "Eleven convolutions, fast through early strides"),
    _Row("first_classifier", "alhassan2018", "network:NetworkOptions", 8, "2018MNRAS.480.2085A",
         "Three pooled convolutions, for FIRST", ("first_class",)),
    _Row("fr_deep", "tang2019", "network:NormalisedOptions", 30, "2019MNRAS.488.3358T",
         "Five convolutions with batch normalisation, for transfer learning between surveys", ("fr_deep_real",)),
    _Row("hosenie", "hosenie2017", "network:NormalisedOptions", 18, "hdl:10394/31250",
         "Five narrow convolutions with batch normalisation, as implemented in 2021MNRAS.503.1828B"),
    _Row("maslej", "maslej2021", "network:NetworkOptions", 5, "2021MNRAS.505.1464M",
         "Three shallow parallel branches", ("maslej_kresnakova",)),
    _Row("mcrgnet", "ma2019", "network:NetworkOptions", 1, "2019ApJS..240...34M",
         "Five strided convolutions, the smallest network of the comparison"),
    _Row("radio_galaxy_zoo", "lukic2018", "network:NetworkOptions", 31, "2018MNRAS.476..246L",
         "Three convolutions, two of them strided, for Radio Galaxy Zoo", ("rgz", "rg_zoo")),
    _Row("simple_net", "lukic2019", "network:ConvolutionOptions", 1, "2019MNRAS.487.1729L",
         "Five narrow convolutions without a hidden dense layer", ("simple",)),
    _Row("toothless", "aniyan2017", "network:NormalisedOptions", 67, "2017ApJS..230...20A",
         "Padded AlexNet with batch normalisation before each activation", ("toothless_real",)),
    _Row("vgg16d", "wu2019", "network:NetworkOptions", 32, "2019MNRAS.482.1211W",
         "VGG-16 configuration D, the backbone of CLARAN", ("vgg16", "vgg16_d_real")),
)  # fmt: skip


_VARIANTS = (
    _Row("alexnet_real_regularized", "variants", "network:NetworkOptions", 195, "doi:10.1145/3065386",
         "AlexNet with dropout after each pooling"),
    _Row("atlas_softmax", "variants", "network:NetworkOptions", 1, "2018MNRAS.478.5547A",
         "The ATLAS network with ReLU and softmax"),
    _Row("conv4_no_reg", "variants", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Four convolutions without dropout and penalty"),
    _Row("conv8_full_do", "variants", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Eight convolutions with dropout within each pair as well"),
    _Row("conv8_half_do", "variants", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Eight convolutions with dropout of one half after each pooling"),
    _Row("conv8_no_reg", "variants", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Eight convolutions without dropout and penalty"),
    _Row("conv8_relu", "variants", "network:NetworkOptions", 1, "2019MNRAS.487.1729L",
         "Eight convolutions and a dense layer with ReLU"),
    _Row("convxpress_leaky", "variants", "network:NetworkOptions", 1, "2021MNRAS.503.1828B",
         "ConvXpress with a leaky ReLU after its dense layer"),
    _Row("first_class_linear", "variants", "network:NetworkOptions", 8, "2018MNRAS.480.2085A",
         "FIRST Classifier with dropout after each pooling and a linear, penalised dense layer"),
    _Row("first_class_regularized", "variants", "network:NetworkOptions", 8, "2018MNRAS.480.2085A",
         "FIRST Classifier with dropout after each pooling and a penalised dense layer"),
    _Row("fr_deep_real_same", "variants", "network:NormalisedOptions", 1, "2019MNRAS.488.3358T",
         "FR-DEEP with padded pooling"),
    _Row("fr_deep_regularized", "variants", "network:NetworkOptions", 30, "2019MNRAS.488.3358T",
         "FR-DEEP with dropout after each pooling instead of batch normalisation"),
    _Row("hosenie_dropout", "variants", "network:NetworkOptions", 18, "hdl:10394/31250",
         "Five narrow convolutions with dropout after each pooling instead of batch normalisation"),
    _Row("mcrgnet_regularized", "variants", "network:NetworkOptions", 1, "2019ApJS..240...34M",
         "MCRGNet with a penalised dense layer and more dropout"),
    _Row("radio_galaxy_zoo_regularized", "variants", "network:NetworkOptions", 31, "2018MNRAS.476..246L",
         "The Radio Galaxy Zoo network with dropout after each pooling"),
    _Row("radio_galaxy_zoo_same", "variants", "network:NetworkOptions", 1, "2018MNRAS.476..246L",
         "The Radio Galaxy Zoo network with padded pooling"),
    _Row("simple_no_do", "variants", "network:ConvolutionOptions", 1, "2019MNRAS.487.1729L",
         "Five narrow convolutions without dropout"),
    _Row("toothless_linear", "variants", "network:NetworkOptions", 67, "2017ApJS..230...20A",
         "Toothless with dropout for batch normalisation and a linear, penalised first dense layer"),
    _Row("toothless_real_regularized", "variants", "network:NormalisedOptions", 67, "2017ApJS..230...20A",
         "Toothless with dropout after each pooling; a list of the comparison names it, its code has no such network"),
    _Row("vgg16_d_real_linear", "variants", "network:NetworkOptions", 32, "2019MNRAS.482.1211W",
         "VGG-16 D with a linear first and two penalised dense layers"),
    _Row("vgg16_d_real_regularized", "variants", "network:NetworkOptions", 32, "2019MNRAS.482.1211W",
         "VGG-16 D with dropout after each pooling"),
    _Row("vgg16_d_real_same", "variants", "network:NetworkOptions", 1, "2019MNRAS.482.1211W",
         "VGG-16 D with padded pooling"),
)  # fmt: skip
"""Variants that the lists of the radio framework name, in their spelling."""


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the networks."""
    for row in (*_NETWORKS, *_VARIANTS):
        registrar.architecture(
            Architecture(
                name=row.name,
                builder=f"benchmarker_architectures.{row.module}:{row.name}",
                citation=row.citation,
                minimum_size=row.minimum_size,
                options=f"benchmarker_architectures.{row.options}",
                aliases=row.aliases,
                summary=row.summary,
            )
        )
