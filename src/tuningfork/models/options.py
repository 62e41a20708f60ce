"""What a recipe or a model folder may ask of an encoder: numbers under names that are known here, and nothing else.

Options come from files that may come from anyone, and timm does more with keyword arguments than shape a
network: some name files or addresses to load from. So names are allowed one by one, and values are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tuningfork.errors import ModelError

LARGEST = 10_000  # of a number
LONGEST = 64  # entries of a list
DEEPEST = 2  # lists in one another
TIMM = frozenset(
    {
        *("drop_rate", "drop_path_rate", "drop_block_rate", "proj_drop_rate", "attn_drop_rate", "pos_drop_rate"),
        *("patch_drop_rate", "depth", "depths", "depth_mult", "layers", "num_blocks", "stages", "block_config"),
        *("width", "widths", "width_mult", "width_factor", "dims", "channels", "embed_dim", "embed_dims", "base_dim"),
        *("base_width", "cardinality", "groups", "growth_rate", "stem_width", "stem_size", "stem_chs", "num_features"),
        *("kernel_size", "kernel_sizes", "output_stride", "patch_size", "window_size", "num_heads", "head_dim"),
        *("mlp_ratio", "mlp_ratios", "expand_ratio", "bottle_ratio", "se_ratio", "qkv_bias", "qk_norm", "conv_bias"),
        *("class_token", "reg_tokens", "no_embed_class", "pre_norm", "fc_norm", "final_norm", "norm_eps"),
        *("init_values", "ls_init_value", "layer_scale_init_value", "dynamic_img_size", "dynamic_img_pad"),
        *("strict_img_size", "zero_init_last"),
    }
)


def check_options(encoder: str, options: Mapping[str, Any], *, of_timm: bool) -> None:
    """See that options of an encoder are numbers, true or false, or short lists of these.

    Raises
    ------
    ModelError
        If one is not, or is not among those that timm's networks may be given.
    """
    for name, value in options.items():
        if of_timm and name not in TIMM:
            near = get_close_matches(name, TIMM, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(TIMM))}"
            raise ModelError(f"encoder {encoder!r} is given no option {name!r}; {hint}")
        if not _is_numbers(value):
            raise ModelError(
                f"encoder.options.{name} of {encoder!r} must be a number (at most {LARGEST:,}), true or false, or a "
                f"list of at most {LONGEST} of these"
            )


def _is_numbers(value: Any, deep: int = 0) -> bool:
    if isinstance(value, list | tuple):
        return deep < DEEPEST and len(value) <= LONGEST and all(_is_numbers(each, deep + 1) for each in value)
    return isinstance(value, bool | int | float) and abs(value) <= LARGEST  # NaN is not
