"""The zoo: every published TinyCLIP, and OpenAI's CLIP ViT-B/32 to measure CLIPSim with.

Architectures, training data and accuracies of the TinyCLIPs are from the model zoo in the README of
github.com/microsoft/Cream, folder TinyCLIP (Wu et al., ICCV 2023), whose licence is MIT; the hub's
pages say the same. A size or a hash that is not known is `None`, never guessed:
`models.zoo.checkpoints` then takes it from the first download and holds later ones against it.
"""

from __future__ import annotations

from models.manifest import Recommended
from models.zoo.published import PublishedFile, PublishedModel, Release, Repository


def _hub(repository: Repository, *known: PublishedFile) -> tuple[PublishedFile, ...]:
    """The files of a `CLIPModel` with safetensors, with what is known of some of them."""
    names = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")
    facts = {file.name: file for file in known}
    return tuple(facts.get(name, PublishedFile(name, repository)) for name in names)


_OPENAI = Repository("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268")
_TINYCLIP_8M = Repository(
    "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", "a2a8c6eaa2549ad66eb7c31b85022bf58273a26c"
)
_TINYCLIP_39M = Repository(
    "wkcn/TinyCLIP-ViT-39M-16-Text-19M-YFCC15M", "07a4b0bc751cb64fecd2b661c048c1dd98d69444"
)
_TINYCLIP_40M = Repository(
    "wkcn/TinyCLIP-ViT-40M-32-Text-19M-LAION400M", "95ec8197b3f2fe7f747865c61ca556cf0768b2f7"
)
_TINYCLIP_61M = Repository(
    "wkcn/TinyCLIP-ViT-61M-32-Text-29M-LAION400M", "94cbbea5c7949cfe7bdafde64bcea5e403f59852"
)
_RELEASE = Release("https://github.com/wkcn/TinyCLIP-model-zoo/releases/download/checkpoints")

_TOKENIZER = PublishedFile(
    "tokenizer.json",
    _OPENAI,
    sha256="b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842",
    bytes=2_224_041,
)
"""CLIP's vocabulary, which the TinyCLIPs share; their release comes without it."""

_MODELS = (
    PublishedModel(
        name="tinyclip-8m-16-yfcc15m",
        architecture="TinyCLIP ViT-8M/16 Text-3M",
        training_data="YFCC-15M",
        embedding_size=512,
        image_millions=8,
        text_millions=3,
        imagenet_top1=41.1,
        licence="MIT",
        files=_hub(
            _TINYCLIP_8M,
            PublishedFile(
                "config.json",
                _TINYCLIP_8M,
                sha256="c586d856dbd5589b67525db9e791ee0917402405672c7773aead373efb7d7bca",
            ),
            PublishedFile(
                "preprocessor_config.json",
                _TINYCLIP_8M,
                sha256="910e70b3956ac9879ebc90b22fb3bc8a75b6a0677814500101a4c072bd7857bd",
                bytes=316,
            ),
            PublishedFile(
                "tokenizer.json",
                _TINYCLIP_8M,
                sha256="b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842",
                bytes=2_224_041,
            ),
            PublishedFile(
                "model.safetensors",
                _TINYCLIP_8M,
                sha256="9339ee3d736344d0ddcaa6c03edc9f89688f08caaea5401220885233da726fcc",
                bytes=93_812_468,
            ),
        ),
    ),
    PublishedModel(
        name="tinyclip-39m-16-yfcc15m",
        architecture="TinyCLIP ViT-39M/16 Text-19M",
        training_data="YFCC-15M",
        embedding_size=512,
        image_millions=39,
        text_millions=19,
        imagenet_top1=63.5,
        licence="MIT",
        files=_hub(_TINYCLIP_39M),
        # The defaults that the reference implementation of the prefilter was released with.
        recommended=Recommended(lambda_=50.0, sigma_min=0.5, sigma_max=10.0),
    ),
    PublishedModel(
        name="tinyclip-40m-32-laion400m",
        architecture="TinyCLIP ViT-40M/32 Text-19M",
        training_data="LAION-400M",
        embedding_size=512,
        image_millions=40,
        text_millions=19,
        imagenet_top1=59.8,
        licence="MIT",
        files=_hub(_TINYCLIP_40M),
    ),
    PublishedModel(
        name="tinyclip-61m-32-laion400m",
        architecture="TinyCLIP ViT-61M/32 Text-29M",
        training_data="LAION-400M",
        embedding_size=512,
        image_millions=61,
        text_millions=29,
        imagenet_top1=62.4,
        licence="MIT",
        files=_hub(_TINYCLIP_61M),
    ),
    PublishedModel(
        name="tinyclip-auto-22m-32-laion400m",
        architecture="TinyCLIP auto ViT-22M/32 Text-10M",
        training_data="LAION-400M",
        embedding_size=512,
        image_millions=22,
        text_millions=10,
        imagenet_top1=53.7,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-auto-ViT-22M-32-Text-10M-LAION400M.pt",
                _RELEASE,
                sha256="fadfe0486c7eb64208d2cfe4dec08120b284a37a11dc2c63cb5dfbac0ed4f018",
                bytes=114_214_705,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-auto-ViT-22M-32-Text-10M-LAION400M.pt",
        # The settings that the prefilter's method was published with.
        recommended=Recommended(lambda_=20.0, sigma_min=0.2, sigma_max=3.0),
    ),
    PublishedModel(
        name="tinyclip-auto-45m-32-laion400m",
        architecture="TinyCLIP auto ViT-45M/32 Text-18M",
        training_data="LAION-400M",
        embedding_size=512,
        image_millions=45,
        text_millions=18,
        imagenet_top1=61.4,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-auto-ViT-45M-32-Text-18M-LAION400M.pt",
                _RELEASE,
                sha256="9739fe1783f1d75eb6246a276b0865da6a965ac6b730b5ca1e02e1740e6444b7",
                bytes=177_369_381,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-auto-ViT-45M-32-Text-18M-LAION400M.pt",
    ),
    PublishedModel(
        name="tinyclip-auto-45m-32-laionyfcc400m",
        architecture="TinyCLIP auto ViT-45M/32 Text-18M",
        training_data="LAION+YFCC-400M",
        embedding_size=512,
        image_millions=45,
        text_millions=18,
        imagenet_top1=62.7,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-auto-ViT-45M-32-Text-18M-LAIONYFCC400M.pt",
                _RELEASE,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-auto-ViT-45M-32-Text-18M-LAIONYFCC400M.pt",
    ),
    PublishedModel(
        name="tinyclip-auto-63m-32-laion400m",
        architecture="TinyCLIP auto ViT-63M/32 Text-31M",
        training_data="LAION-400M",
        embedding_size=512,
        image_millions=63,
        text_millions=31,
        imagenet_top1=63.9,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-auto-ViT-63M-32-Text-31M-LAION400M.pt",
                _RELEASE,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-auto-ViT-63M-32-Text-31M-LAION400M.pt",
    ),
    PublishedModel(
        name="tinyclip-auto-63m-32-laionyfcc400m",
        architecture="TinyCLIP auto ViT-63M/32 Text-31M",
        training_data="LAION+YFCC-400M",
        embedding_size=512,
        image_millions=63,
        text_millions=31,
        imagenet_top1=64.5,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-auto-ViT-63M-32-Text-31M-LAIONYFCC400M.pt",
                _RELEASE,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-auto-ViT-63M-32-Text-31M-LAIONYFCC400M.pt",
    ),
    PublishedModel(
        name="tinyclip-resnet-19m-laion400m",
        architecture="TinyCLIP ResNet-19M Text-19M",
        training_data="LAION-400M",
        embedding_size=1024,
        image_millions=19,
        text_millions=19,
        imagenet_top1=56.4,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-ResNet-19M-Text-19M-LAION400M.pt",
                _RELEASE,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-ResNet-19M-Text-19M-LAION400M.pt",
    ),
    PublishedModel(
        name="tinyclip-resnet-30m-laion400m",
        architecture="TinyCLIP ResNet-30M Text-29M",
        training_data="LAION-400M",
        embedding_size=1024,
        image_millions=30,
        text_millions=29,
        imagenet_top1=59.1,
        licence="MIT",
        files=(
            PublishedFile(
                "TinyCLIP-ResNet-30M-Text-29M-LAION400M.pt",
                _RELEASE,
            ),
            _TOKENIZER,
        ),
        checkpoint="TinyCLIP-ResNet-30M-Text-29M-LAION400M.pt",
    ),
    PublishedModel(
        name="clip-vit-b-32-openai",
        architecture="CLIP ViT-B/32",
        training_data="WIT, OpenAI's 400 million pairs",
        embedding_size=512,
        image_millions=88,
        text_millions=38,
        # Radford et al. 2021.
        imagenet_top1=63.2,
        # Of github.com/openai/CLIP, which published them; the hub's page names none.
        licence="MIT",
        files=(
            PublishedFile(
                "config.json",
                _OPENAI,
                sha256="b575ef3c36f2a057fa19e221650105052d61cc9c1a972ec15019c6261ec98770",
                bytes=4_186,
            ),
            PublishedFile(
                "preprocessor_config.json",
                _OPENAI,
                sha256="910e70b3956ac9879ebc90b22fb3bc8a75b6a0677814500101a4c072bd7857bd",
                bytes=316,
            ),
            _TOKENIZER,
            PublishedFile(
                "pytorch_model.bin",
                _OPENAI,
                sha256="a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
                bytes=605_247_071,
            ),
        ),
    ),
)

ZOO: dict[str, PublishedModel] = {model.name: model for model in _MODELS}
"""All of them, by name."""
