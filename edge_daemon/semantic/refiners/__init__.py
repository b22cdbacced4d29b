"""What proposes texts: `phrases` without a language model, `openai` with one."""
