"""Texts that talk to their reader instead of describing.

A description is read by a critic, drawn by a generator, and may be handed to a language model in
the cloud. A text that gives that model orders, plays its chat template or calls its tools is no
description, whoever wrote it. This is a list of signs, not a proof: orders in free wording get past
any list, and whoever hands texts to a model passes them as data all the same (see "Prompt
injection" in the OWASP Top 10 for LLM applications).
"""

from __future__ import annotations

import re
from typing import Final

from edge_daemon.semantic.lookalikes import readings

_GAP = r"[\W_]{0,8}"
"""Between words; nothing at all where the writer left spaces out."""
_ORDERS = (
    r"(?:instruct(?:ion|ing)?s?|prompts?|rules?|directions?|guidelines?|guidance|directives?|commands?"
    r"|constraints?|context|messages?|training|polic(?:y|ies)|safeguards?|restrictions?|tasks?)"
)
_EARLIER = (
    r"(?:previous|prior|preceding|foregoing|above|earlier|initial|original|existing|former|past"
    r"|your|system|safety)"
)
_DROP = r"(?:ignore|disregard|forget|override|overrule|bypass|neglect|discard|cancel|skip|abandon)"
_DETERMINERS = rf"(?:(?:all|any|every|the|these|those|my|of|and|other|please){_GAP}){{0,4}}"
_READER = r"(?:ai|assistant|language\s+models?|llms?|vlms?|chatbots?)\b"
_BEGIN = r"(?:^|[.!?:;\"'>)\]]|\bplease\b|\bnow\b)\s*"
"""Where an imperative stands; in the middle of a sentence the same verb describes."""
_SECRETS = (
    r"(?:api[\W_]*keys?|secret[\W_]*keys?|private[\W_]*keys?|access[\W_]*tokens?|passwords?"
    r"|credentials?|system[\W_]*prompts?|environment[\W_]*variables?|secrets?)"
)

_SIGNS: Final = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        # Orders that take other orders back.
        rf"{_DROP}{_GAP}{_DETERMINERS}{_EARLIER}{_GAP}(?:\w{{1,20}}{_GAP}){{0,2}}?{_ORDERS}",
        rf"{_BEGIN}{_DROP}\s+{_DETERMINERS}{_ORDERS}\b",
        rf"\b{_DROP}\s+(?:all|everything|anything|whatever|what|the\s+(?:text|words?|lines?))\b.{{0,30}}"
        r"\b(?:above|before|earlier|so\s+far|(?:been|were|was)\s+(?:told|given|said))\b",
        rf"\b(?:do\s+not|don't|never|stop)\s+(?:follow|obey|heed)(?:ing)?\s+(?:\w{{1,20}}\s+){{0,4}}{_ORDERS}\b",
        rf"\b{_EARLIER}\s+{_ORDERS}\s+(?:no\s+longer|do\s+not|don't|should\s+be|must\s+be|are\s+void"
        r"|are\s+cancel)",
        rf"{_BEGIN}(?:new|updated|revised|real|actual)\s+(?:instructions?|task|orders?)\s*:",
        r"\byour\s+(?:new|real|true|actual|only)\s+(?:task|job|goal|purpose|instructions?|role)\b",
        r"\binstead\s+(?:of\s+(?:describing|answering|that)|(?:output|say|write|print|answer|respond|reply)\b)",
        rf"{_BEGIN}(?:translate|execute|run|summari[sz]e|complete|answer)\s+(?:the\s+following|this|these)\b",
        r"\btell\s+the\s+(?:user|operator|reader|human)s?\b",
        r"\b(?:when|if)\s+(?:you\s+are\s+)?asked\b.{0,40}\b(?:say|answer|reply|respond|state|claim)\b",
        rf"\bpay\s+no\s+(?:attention|heed)\s+to\s+(?:\w{{1,20}}\s+){{0,3}}{_ORDERS}\b",
        rf"\b{_ORDERS}\s+(?:below\s+|here\s+)?(?:supersedes?|overrides?|replaces?|takes?\s+precedence)\b",
        r"\byour\s+(?:\w{1,20}\s+){0,2}(?:instructions?|prompts?|directives?|guidelines?|objectives?"
        r"|training|programming)\b",
        r"\b(?:system|admin|safety)\s+override\b",
        # Another role for the reader, or a call to it.
        r"\bi\s+(?:want|need|order|command|ask|expect)\s+you\s+to\b",
        r"\byou\s+(?:have\s+(?:a\s+new|been\s+(?:told|given|instructed))"
        r"|(?:will|shall)\s+be\s+(?:punish|penali|reward|shut|terminat))",
        rf"(?:^|[.!?]\s){_READER}\s*,",
        r"\b(?:call|invoke)\s+(?:the\s+|a\s+)?(?:tool|function)\b",
        rf"\b(?:note|message|attention|notice|warning|dear|hello|hey),?\s+(?:to\s+)?(?:the\s+|all\s+|any\s+)?{_READER}",
        rf"\b(?:the|any|every)\s+{_READER}\s+(?:must|should|shall|has\s+to|is\s+to)\b",
        r"\b(?:begin|start|end)\s+(?:of\s+)?(?:system|admin|developer)\s+(?:message|prompt|instructions?)\b",
        r"\byou\s*(?:are|'re)\s+now\b",
        r"\byou\s*(?:are|'re)\s+(?:an?\s+)?(?:\w{1,20}\s+){0,2}(?:assistant|ai|chatbot|language\s+model|agent)\b",
        r"\bfrom\s+(?:now|here|this\s+(?:point|moment))\s+(?:on|onwards?|forwards?)\b.{0,20}"
        r"\byou(?:r|'re|'ll)?\b",
        r"\byou\s+(?:must|should|shall|will|have\s+to|need\s+to|are\s+to)\s+(?:now\s+|always\s+"
        r"|only\s+|never\s+)?(?:respond|reply|answer|obey|follow|output|print|write|comply|act"
        r"|pretend|ignore|reveal|say|describe|return|execute|call|classify|report)\b",
        rf"{_BEGIN}(?:act|behave|respond|reply|answer|roleplay|role-play)\s+(?:as|only|like|with|in)\b",
        rf"{_BEGIN}pretend\s+(?:to|you|that|there)\b",
        rf"{_BEGIN}(?:do\s+not|don't|never)\s+(?:describe|mention|reveal|tell|answer|report|detect"
        r"|analy[sz]e|classify|inspect|flag|alert)\b",
        rf"{_BEGIN}(?:output|print|repeat|say|reply|respond\s+with)\s+(?:only\b|exactly\b|the\s+(?:word"
        r"|words|following|text|phrase|string)\b|\")",
        r"\b(?:developer|god|dan|admin|debug|unrestricted)\s+mode\b.{0,20}\b(?:on|enabled|activated)\b",
        r"\b(?:enter|enable|activate|switch\s+to)\s+(?:developer|god|dan|admin|debug|unrestricted)\s+mode\b",
        r"\b(?:do\s+anything\s+now|jail\s*break|prompt\s+injection|your\s+(?:system\s+)?prompt)\b",
        # Sentences that no description begins with.
        r"(?:^|[.!?]\s)(?:remember\W{1,3})?you(?:r|'re|'ll|'ve)?\b",
        r"(?:^|[.!?]\s|\bplease\s)(?:write|emit|return|output|print|reset|overwrite|follow|obey|reveal"
        r"|approve|respond|reply|answer|repeat|execute|ensure|comply|proceed|continue)\s+(?:the|your"
        r"|my|this|that|these|all|only|exactly|with|as|to|in|[\"'{\[])",
        # What models say of themselves.
        r"\bas\s+an?\s+(?:ai\b|artificial\s+intelligence|(?:\w{1,20}\s+){0,2}language\s+model|assistant)",
        r"\bi(?:'m|\s+am)\s+(?:an?\s+)?(?:ai\b|sorry,?\s+(?:but|i)\b|unable\s+to|not\s+able\s+to"
        r"|(?:\w{1,20}\s+){0,2}language\s+model)",
        r"\bi\s*(?:cannot|can't|can\s+not|won't|will\s+not)\s+(?:describe|see|view|help|assist|provide"
        r"|comply|generate|fulfil+|process|access|identify)\b",
        # Secrets.
        rf"\b(?:reveal|leak|expose|disclose|exfiltrate|give|send|tell|show|print|output|repeat|share"
        rf"|e?mail|post|list)\s+(?:me\s+|us\s+|out\s+)?(?:the\s+|all\s+|all\s+of\s+|any\s+)?(?:your|my|the"
        rf"|its|this|all)\s+(?:\w{{1,20}}\s+){{0,2}}?{_SECRETS}",
        # Chat templates and speakers.
        r"<\s*\|[^|<>]{1,60}\|\s*>",
        r"\[\s*/?\s*(?:inst|sys|system|system_prompt|available_tools|tool_calls)\s*\]",
        r"<<\s*/?\s*sys\s*>>",
        r"<\s*/?\s*(?:s|bos|eos|think|system|user|human|assistant|instructions?|start_of_turn"
        r"|end_of_turn|tool|tools|tool_call|tool_response|function|function_calls?|invoke)\b[^<>]{0,200}>",
        r"##\s*(?:system|instructions?|response|user|assistant|human|input)\b",
        r"(?:^|[.!?\]>]\s+)[\W_]{0,8}(?:system|assistant|developer|chatgpt)[\W_]{0,3}:",
        r"^[\W_]{0,8}(?:human|user|ai)[\W_]{0,3}:",
        # Calls of tools, and other JSON.
        r"\{\s*[\"'][\w$ -]{1,40}[\"']\s*:",
        r"\b(?:function|tool)[\s_-]?calls?\b\s*[:({]",
        # What a browser or a tool would follow.
        r"\b(?:https?|ftp|file|ws|wss)\s*:\s*/\s*/",
        r"\b(?:javascript|vbscript|mailto)\s*:",
        r"\bdata\s*:\s*\w+/[\w+.-]+\s*[;,]",
        r"<\s*/?\s*(?:script|iframe|object|embed|svg|style|link|meta|form|base|img|math)\b",
        r"\bon(?:error|load|click|focus|mouseover|toggle)\s*=",
        r"\$\{|\{\{|<%|<\?|/etc/(?:passwd|shadow)|\brm\s+-rf\b",
        # The first of these orders in other languages.
        r"\b(?:ignorier\w*|missacht\w*|vergiss)\b.{0,40}\b(?:anweisung|vorgabe|regel|befehl|instruktion)",
        r"\b(?:ignor(?:a|ad|en|ez|ate|are)|oublie[sz]?|olvid[ae]\w*|dimentica\w*|desconsider[ae]\w*)\b"
        r".{0,40}\b(?:instru[cz]|istruzion|consigne|directiv|regole|reglas)",
        r"(?:忽略|无视|忘记|無視).{0,10}(?:指令|指示|说明|提示|命令)",
        r"(?:игнорируй|забудь|не\s+обращай).{0,40}(?:инструкц|указани|правил)",
    )
)


def addresses_its_reader(text: str) -> bool:
    """Whether a text gives orders, plays a role or a template, or holds code, in any disguise.

    Args:
        text: As it came, without invisible characters; lines still lines.
    """
    return any(sign.search(reading) for reading in readings(text) for sign in _SIGNS)
