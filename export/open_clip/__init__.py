"""Reads CLIP checkpoints in open_clip's layout: one `.pt` file, every width from its tensors.

This is how all of TinyCLIP is published, the pruned models and the ResNets only so. What was found
out about the files, and where (paths without a repository are below `TinyCLIP/` of
github.com/microsoft/Cream):

- A file is `{"state_dict": {...}, ...}`; training adds its options (`src/training/train.py`). That
  `torch.load(weights_only=True)` reads it is known of the published ViT-8M/16 and ViT-22M/32. The
  latter has 114 214 705 bytes, two for each of its 57 million parameters: float16.
- Names begin with `_image_encoder.module.` and `_text_encoder.module.` where widths were chosen by
  hand, and with `image_encoder_without_ddp.` and `text_encoder_without_ddp.` in the *auto* files,
  whose widths were learned (`src/open_clip/model.py: load_pruned_model`, `src/training/main.py`).
  Behind that they are OpenAI's: `visual.*`, `transformer.*`, `token_embedding.weight`.
- The auto files hold tensors that are cut already, no masks: training fuses the masks into the
  weights and drops them before its last stage (`train.py`, "FUSE MASK"). What `load_pruned_model`
  builds out of them, full-sized and masked again, is what is in the file but for a factor of
  sigmoid(12) = 0.999994 here and there.
- Pruned are: the residual stream's width, once per tower; heads, per layer; MLP neurons, per layer
  (`src/open_clip/l0module.py` as `model.py` calls it). A layer that lost all heads has neither
  `attn` nor `ln_1`; one that lost all neurons keeps the bias of its output
  (`ResidualAttentionBlock.prune`, `Mlp.prune`). Heads keep 64 components. A layer norm is one over
  the components that are left (`LayerNorm.prune`).
- No configuration of TinyCLIP, nor `ViT-B-32` which the auto files are evaluated with
  (`docs/EVALUATION.md`), sets `quick_gelu`, so its MLPs have the exact GELU (`ImageEncoder`,
  `TextEncoder`). OpenAI's own weights have QuickGELU (`build_model_from_openai_state_dict`).
- The text embedding is read at the highest token id of the row, the end token (`encode_text`).
- Pictures are resized bicubically and normalised with OpenAI's mean and std (`transform.py`,
  `factory.py`).
- The ResNet's attention has heads of 64 components too (`CLIPVisionCfg.head_width`).
"""
