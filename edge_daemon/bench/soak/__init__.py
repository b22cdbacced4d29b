"""Cameras, a daemon and a cloud under random kills and cuts, and the account of every frame.

`cameras` send and note what was acknowledged, `rig` and `proxy` are what is killed and cut,
`account` compares the notes with the cloud's log.
"""
