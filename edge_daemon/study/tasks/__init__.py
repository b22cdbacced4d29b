"""Questions that can be asked and answered anywhere, by consumers that none of us wrote.

reading      what a sign of a street scene says; Tesseract reads the decoded picture
recognition  what an icon of a busy scene shows; the bundle names it in the decoded picture
photographs  a folder of photographs with boxes: fidelity inside them, and a detector's findings
"""
