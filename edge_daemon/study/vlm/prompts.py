"""A question as VLMEvalKit words it: the wording is part of what its published figures measure."""

from __future__ import annotations

from edge_daemon.study.vlm.questions import Question


def prompt_of(question: Question) -> str:
    """What is asked: hint, question and options; a yes/no question as it stands in the file."""
    if not question.options:
        return question.text
    hint = [f"Hint: {question.hint}"] if question.hint else []
    options = [f"{letter}. {text}" for letter, text in question.options.items()]
    return "\n".join(
        [
            *hint,
            f"Question: {question.text}",
            "Options:",
            *options,
            "Please select the correct answer from the options above. \n",
        ]
    )
