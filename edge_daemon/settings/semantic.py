"""Text in a picture's place: how it is found, how it travels, what draws it again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge_daemon.settings.strict import Strict

RefinerName = Literal["phrases", "openai"]
GeneratorName = Literal["none", "openai-images", "directory"]
Packing = Literal["none", "packed"]
SideName = Literal["none", "thumbnail", "sketch"]

Price = Annotated[float, Field(ge=0.0, le=1e6)]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]


class ApiSettings(Strict):
    """Where an HTTP API is that speaks as OpenAI's does, and what opens it."""

    base_url: str = Field(
        default="http://127.0.0.1:8080/v1",
        pattern=r"^https?://[^\s/@]+(/\S*)?$",
        description="URL up to and with the version, e.g. http://127.0.0.1:11434/v1",
    )
    api_key_env: str | None = Field(
        default=None, min_length=1, description="environment variable that holds the key"
    )
    api_key_file: str | None = Field(
        default=None, min_length=1, description="file that holds the key and nothing else"
    )


class EndpointSettings(ApiSettings):
    """A model behind such an API: paid, or a local server."""

    model: str = Field(
        default="default", min_length=1, max_length=200, description="its name there"
    )
    timeout_s: float = Field(
        default=60.0, gt=0.0, le=3600.0, description="seconds that one answer may take"
    )
    attempts: int = Field(default=3, ge=1, le=10, description="tries of one request")
    max_answer_bytes: int = Field(
        default=32 * 2**20, ge=1024, le=2**30, description="longest answer that is read, in bytes"
    )


class ChatSettings(EndpointSettings):
    """A language model."""

    temperature: float = Field(default=0.8, ge=0.0, le=2.0, description="of its sampling")
    max_tokens: int = Field(default=1024, ge=16, le=65_536, description="most tokens of one answer")
    price_in: Price = Field(default=0.0, description="per million tokens that it reads")
    price_out: Price = Field(default=0.0, description="per million tokens that it writes")


class RefinerChatSettings(ChatSettings):
    """A language model that proposes texts."""

    send_picture: bool = Field(
        default=False, description="show it the picture, if it is a model that sees"
    )


class ImagesSettings(EndpointSettings):
    """A text-to-image model."""

    size: str = Field(
        default="1024x1024",
        pattern=r"^([1-9]\d{1,3}x[1-9]\d{1,3}|auto)$",
        description="of a picture",
    )
    quality: str | None = Field(default=None, min_length=1, description="as the model names it")
    style: str | None = Field(default=None, min_length=1, description="as the model names it")
    edits: bool = Field(
        default=False,
        description="hand side information over to /images/edits, if the model takes pictures",
    )
    send_seed: bool = Field(
        default=False, description="send a seed too, for servers that take one; OpenAI's do not"
    )
    price: Price = Field(default=0.0, description="per picture")


class SemanticSettings(Strict):
    """Text in a picture's place (mode "semantic", and the last resort of a budget)."""

    refiner: RefinerName = Field(
        default="phrases", description="'phrases' needs no language model; 'openai' asks one"
    )
    generator: GeneratorName = Field(
        default="none", description="what draws texts, so that the drawings decide between them"
    )
    iterations: int = Field(default=4, ge=1, le=100, description="rounds of refinement (N)")
    prompts: int = Field(default=3, ge=1, le=32, description="texts per round (M)")
    images: int = Field(default=4, ge=1, le=32, description="drawings per round (K)")
    max_bytes: int = Field(
        default=400, ge=16, le=65_536, description="most bytes of UTF-8 that the text may have (R)"
    )
    time_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, description="seconds that a search may take"
    )
    max_cost: float | None = Field(
        default=None, ge=0.0, description="most that one search may cost, in the prices' unit"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of whatever is left to chance")
    vocabulary: str | None = Field(
        default=None, min_length=1, description="file of more phrases, as semantic/vocabulary.toml"
    )
    packing: Packing = Field(
        default="packed", description="'packed' in fewer bytes, or 'none': UTF-8 as it is"
    )
    side: SideName = Field(
        default="none", description="layout beside the text: a 'thumbnail' or a 'sketch'"
    )
    keep_pixels: bool = Field(
        default=True,
        description="keep the picture too, until the cloud has the text, in case it wants pixels",
    )
    chat: RefinerChatSettings = RefinerChatSettings()
    drawing: ImagesSettings = ImagesSettings()
    drawings: str = Field(
        default="drawings", min_length=1, description="directory of pictures, for 'directory'"
    )


class CloudSemanticSettings(Strict):
    """What the cloud does with texts."""

    generator: GeneratorName = Field(
        default="none", description="what draws them; 'none': they are stored as they are"
    )
    drawing: ImagesSettings = ImagesSettings()
    drawings: str = Field(
        default="drawings", min_length=1, description="directory of pictures, for 'directory'"
    )
    escalate_text_below: Cosine | None = Field(
        default=None,
        description="cosine of text and picture below which pixels are asked for; none: never",
    )
    escalate_image_below: Cosine | None = Field(
        default=None,
        description="CLIPSim of drawing and picture below which pixels are asked for, where the "
        "edge drew; none: never",
    )
