"""What is in a prompt for the answering model and says nothing about the picture.

Two nets, both linear in the prompt's length. `PHRASES` are pieces of a sentence that are cut out
wherever they stand ("in this image", "please answer yes or no"). `is_boilerplate` judges a whole
clause: one that holds a trigger ("answer", "options", ...) and otherwise only words of the
instruction vocabulary and stop words is about the form of the answer, as with "Answer with the
option's letter from the given choices directly." in the common visual-question benchmarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Function words.
STOP_WORDS = _words(
    """
    a an the this that these those there here it its itself they them their theirs he him his she
    her hers we us our ours you your yours i me my mine who whom whose what which when where why how
    many much is are am was were be been being do does did done has have had having could will would
    shall should may might must let s t d ll re ve m n/a and or but nor so yet if then than as of at
    by for with about into onto upon through during to from in on off out over again further once
    all any both each every either neither few more most other another some such no not none only
    own same too very just also even still ever never anything anyone anybody something someone
    somebody nothing everything everyone please yes according based isn't aren't wasn't weren't
    don't doesn't didn't can't couldn't won't wouldn't shouldn't hasn't haven't hadn't
    """
)

# How people point a model at a picture. As nouns they are things: "the present", "a can".
POINTING_WORDS = _words(
    """
    can visible see sees seen appear appears appearing show shows shown showing depicted present
    tell find locate identify spot look looks looking call called exist exists contain contains
    containing include includes including belong belongs describe give given want need know
    """
)

# Where things are, how many, and which one: kept, although a tagger calls them function words.
SPATIAL_WORDS = _words(
    """
    left right top bottom upper lower middle center centre corner front back behind above below
    under underneath beneath beside between near nearest inside outside next foreground background
    leftmost rightmost topmost
    """
)

_TRIGGERS = _words(
    """
    answer answers answering respond responds reply option options option's choice choices question
    questions question's select choose hint hints context instruction instructions explain describe
    explanation explanations reasoning rationale q caption n/a
    """
)

_VOCABULARY = (
    STOP_WORDS
    | POINTING_WORDS
    | _TRIGGERS
    | _words(
        """
        letter letters correct incorrect right wrong best appropriate suitable following above below
        next provided listed four two three five several multiple single one word words phrase
        phrases sentence sentences number numbers integer float value values short brief briefly
        concise concisely simple simply direct directly detail details final end beginning format
        output else without possible true false statement statements sure image picture photo
        photograph figure video step think first nothing unanswerable sufficient insufficient
        information otherwise using use used provide requiring required needed index e.g i.e etc
        user assistant human system helpful careful carefully exactly
        """
    )
)

_PICTURE = r"(?:images?|pictures?|photos?|photographs?|figures?|videos?|frames?)"
_POINTER = r"(?:the |this |that |these |an? )?(?:following |given |provided |above |attached )?"
_ANSWER = r"(?:please )?(?:just |only )?(?:answer|respond|reply)(?: (?:the|this) question)?"

PHRASES = re.compile(
    "|".join(
        [
            # Image placeholders of chat templates.
            r"<\|?/?(?:image|img|video)(?:[ _]?(?:pad|start|end|soft_token|\d+))?\|?>",
            r"\bN/A\b",
            _ANSWER + r"(?: (?:directly|only|simply|with|by|in|using))*"
            r" ['\"]?yes['\"]?(?: or | and |/|, )['\"]?no['\"]?(?: only)?",
            _ANSWER
            + r"(?: (?:directly|only|simply))*(?: (?:using|with|in|by))(?: only)? (?:an?|one)"
            r"(?: single)? (?:word|number|phrase|sentence)"
            r"(?: or (?:a )?(?:short )?(?:phrase|number|word|sentence))?",
            r"\bwhich (?:one )?of the following(?: (?:options|choices|statements|answers))?",
            r"\b(?:what|which) (?:kind|type|sort)s? of\b",
            r"\bhow many\b",
            r"\b(?:can|could|would|will) you (?:please )?(?:help me )?"
            r"(?:(?:tell|show) me|see|find|spot|identify)?",
            r"\bi (?:want|need|would like) (?:you )?to\b",
            r"\bis it (?:true|correct) that\b",
            r"\b(?:based on|according to|considering|given|looking at|judging by) "
            + _POINTER
            + _PICTURE
            + r"\b",
            r"\b(?:(?:shown|seen|depicted|displayed|visible|present) )?(?:in|on|of|from|within) "
            + r"(?:the |this |these )(?:following |given |provided |above |attached )?"
            + _PICTURE
            + r"\b",
            r"\b(?:does|do) (?:the|this) (?:image|picture|photo) "
            r"(?:show|contain|have|include|depict)\b",
            r"\b(?:the|this) (?:image|picture|photo) (?:shows|contains|depicts)\b",
        ]
    ),
    re.IGNORECASE,
)


def is_boilerplate(words: Iterable[str]) -> bool:
    """Whether a clause is about the form of the answer only.

    Args:
        words: The clause's words in lower case, quoted ones included.
    """
    seen = set(words)
    if not seen & _TRIGGERS:
        return False
    return all(word in _VOCABULARY or _is_label(word) for word in seen)


def _is_label(word: str) -> bool:
    return len(word) == 1 or word.isdigit()
