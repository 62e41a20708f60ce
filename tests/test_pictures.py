"""Pictures of every kind, written by writers other than those that read them: right, noted or refused."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tuningfork.errors import ImageError
from tuningfork.images import Geometry, decode

SIDE = 40
WHOLE = Geometry(1.0, SIDE)
GREY = Geometry(1.0, SIDE, 1)


def picture(channels: int = 3, *, dtype: type = np.uint8, white: int = 255, seed: int = 3) -> np.ndarray:
    """A smooth bright spot on noise, of which every value from 0 to `white` may be one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    spot = np.exp(-(x**2 + (1.5 * y) ** 2) / 80)[:, :, None] * np.linspace(0.6, 1, channels)
    values = np.rint(white * np.clip(spot + rng.normal(0, 0.03, spot.shape), 0, 1))
    values[0, 0] = white  # so that the depth is plain
    return values.astype(dtype)


def tiff(values: np.ndarray, **how: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **how)
    return buffer.getvalue()


def saved(image: Image.Image, kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    at = png.index(b"IDAT") - 4
    return png[:at] + chunk(name, content) + png[at:]


def check(data: bytes, expected: np.ndarray, note: str | None, *, within: int = 1) -> None:
    """The pixels are `expected` (H, W, C), in 0 to 255, and the note is this one."""
    geometry = WHOLE if expected.shape[2] == 3 else GREY
    pixels, said = decode(data, geometry)
    assert np.abs(pixels.astype(float) - expected).max() <= within
    assert said == note


# --- TIFF: how its samples lie

LAYOUTS: dict[str, dict[str, object]] = {
    "as it is": {},
    "big-endian": {"byteorder": ">"},
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 16)},
    "Deflate": {"compression": "zlib", "rowsperstrip": 7},
    "Deflate, differences": {"compression": "zlib", "predictor": True},
    "LZW tiles": {"compression": "lzw", "predictor": True, "tile": (16, 16)},
    "Zstandard": {"compression": "zstd"},
    "PackBits": {"compression": "packbits"},
    "BigTIFF": {"bigtiff": True},
}


@pytest.mark.parametrize("planar", [False, True], ids=["interleaved", "planes"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tiff_is_right_however_its_samples_lie(layout: str, bits: int, planar: bool) -> None:
    image = picture()
    values = image if bits == 8 else image.astype(np.uint16) * 257
    how = LAYOUTS[layout]
    if planar:
        data = tiff(np.moveaxis(values, 2, 0), photometric="rgb", planarconfig="separate", **how)
    else:
        data = tiff(values, photometric="rgb", **how)
    check(data, image, None if bits == 8 else "16 bits, scaled to 8")
    note = "greyscale, spread over 3 channels"
    pixels, said = decode(tiff(values[:, :, 0], photometric="minisblack", **how), WHOLE)
    assert np.abs(pixels.astype(int) - image[:, :, :1]).max() <= 1
    assert said == (note if bits == 8 else f"16 bits, scaled to 8; {note}")


def test_planes_of_16_bits_written_by_hand_are_right() -> None:
    """As in the specification, TIFF 6.0, page 38: nothing of a library's writer."""
    image = picture()
    planes = (image.astype("<u2") * 257).transpose(2, 0, 1).tobytes()
    size = SIDE * SIDE * 2
    tags = [(256, 4, SIDE), (257, 4, SIDE), (258, 3, None), (259, 3, 1), (262, 3, 2), (273, 4, None)]
    tags += [(277, 3, 3), (278, 4, SIDE), (279, 4, None), (284, 3, 2)]
    end = 8 + 2 + 12 * len(tags) + 4
    places = {258: end, 273: end + 6, 279: end + 18}
    out = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, kind, value in tags:
        out += struct.pack("<HHII", tag, kind, 3 if value is None else 1, places[tag] if value is None else value)
    out += struct.pack("<I3H3I3I", 0, 16, 16, 16, *(end + 30 + k * size for k in range(3)), *[size] * 3)
    check(out + planes, image, "16 bits, scaled to 8")


# --- depth: which number is white


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_fewer_bits_in_16_are_recognised_and_said(bits: int, kind: str, channels: int) -> None:
    white = 2**bits - 1
    values = picture(channels, dtype=np.uint16, white=white)
    shaped = values if channels == 3 else values[:, :, 0]
    data = tiff(shaped) if kind == "TIFF" else imagecodecs.png_encode(shaped)
    depth = "8 bits" if bits == 8 else f"{bits} bits, scaled to 8"
    check(data, 255.0 * values / white, f"no pixel is above {white}: taken as {depth}")


@pytest.mark.parametrize("tag", [281, 341])
def test_the_largest_value_that_a_tiff_states_is_white(tag: int) -> None:
    values = picture(3, dtype=np.uint16, white=4095) // 8  # a dark one: 9 bits would hold it
    data = tiff(values, photometric="rgb", extratags=[(tag, "H", 3, (4095, 4095, 4095), True)])
    check(data, 255.0 * values / 4095, "12 bits, scaled to 8; its brightest pixel is 32 of 255")


def test_the_significant_bits_of_a_png_are_heeded() -> None:
    dark = picture(3, dtype=np.uint16, white=4095) // 8
    data = with_chunk(imagecodecs.png_encode(dark), b"sBIT", bytes([12, 12, 12]))
    check(data, 255.0 * dark / 4095, "12 bits, scaled to 8; its brightest pixel is 32 of 255")
    full = picture(3, dtype=np.uint16, white=65535)  # spread over all bits, as the specification has it
    data = with_chunk(imagecodecs.png_encode(full), b"sBIT", bytes([12, 12, 12]))
    check(data, full / 257, "16 bits, scaled to 8")


def test_a_packed_depth_is_its_own_scale() -> None:
    values = picture(1, dtype=np.uint16, white=4095)[:, :, 0]
    data = tiff(values, bitspersample=12, compression=None)
    check(data, 255.0 * values[:, :, None] / 4095, "12 bits, scaled to 8")


def test_a_dark_picture_of_16_bits_says_how_dark_it_is() -> None:
    values = picture(3, dtype=np.uint16, white=16383)
    check(tiff(values), values / 257, "16 bits, scaled to 8; its brightest pixel is 64 of 255")


@pytest.mark.parametrize(("white", "dtype"), [(1, np.float32), (1, np.float64), (255, np.float16), (255, np.float32)])
def test_floats_are_a_picture_where_they_are_its_256_steps(white: int, dtype: type) -> None:
    image = picture()
    note = f"floating-point numbers in steps of 8 bits: taken as 0 to {white}"
    check(tiff((image * (white / 255)).astype(dtype), photometric="rgb"), image, note)


def test_wide_pictures_of_other_formats_are_scaled_by_what_they_state() -> None:
    values = picture(3, dtype=np.uint16, white=1023)
    ppm = b"P6 %d %d 1023\n" % (SIDE, SIDE) + values.astype(">u2").tobytes()
    check(ppm, 255.0 * values / 1023, None)
    pgm = b"P5 %d %d 1023\n" % (SIDE, SIDE) + values[:, :, 0].astype(">u2").tobytes()
    check(pgm, 255.0 * values[:, :, :1] / 1023, "16 bits, scaled to 8")
    jpeg2000 = imagecodecs.jpeg2k_encode(values[:, :, 0].copy(), bitspersample=10, level=0, reversible=True)
    check(jpeg2000, 255.0 * values[:, :, :1] / 1023, "16 bits, scaled to 8")


# --- transparency


def glassy(channels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bright colours that are hidden, their opacity, and what is to be seen of them."""
    hidden = np.full((SIDE, SIDE, channels), 250, np.uint8)
    opacity = picture(1, seed=8)
    return hidden, opacity, hidden * (opacity / 255.0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "TGA", "ICO", "JPEG2000", "AVIF"])
def test_transparent_pixels_are_black(kind: str) -> None:
    hidden, opacity, seen = glassy()
    image = Image.fromarray(np.concatenate([hidden, opacity], axis=2))
    how = {"WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 100}, "ICO": {"sizes": [(SIDE, SIDE)]}}
    check(saved(image, kind, **how.get(kind, {})), seen, "transparent pixels drawn on black", within=2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_transparent_grey_is_black(kind: str) -> None:
    hidden, opacity, seen = glassy(1)
    image = Image.fromarray(np.concatenate([hidden, opacity], axis=2))
    check(saved(image, kind), seen, "transparent pixels drawn on black")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_both_kinds_of_opacity_of_a_tiff_are_understood(bits: int, planar: bool, extra: str) -> None:
    hidden, opacity, seen = glassy()
    stored = hidden if extra == "unassalpha" else np.rint(seen).astype(np.uint8)
    values = np.concatenate([stored, opacity], axis=2)
    values = values if bits == 8 else values.astype(np.uint16) * 257
    how = {"photometric": "rgb", "extrasamples": [extra]}
    if planar:
        values, how["planarconfig"] = np.moveaxis(values, 2, 0), "separate"
    pixels, note = decode(tiff(values, **how), WHOLE)
    assert np.abs(pixels - seen).max() <= 2
    assert "transparent pixels drawn on black" in str(note)


def test_a_colour_or_an_entry_of_the_palette_that_is_transparent_is_black() -> None:
    image = picture()
    image[:10] = (200, 10, 10)
    seen = image.copy()
    seen[:10] = 0
    data = with_chunk(saved(Image.fromarray(image), "PNG"), b"tRNS", struct.pack(">HHH", 200, 10, 10))
    check(data, seen, "transparent pixels drawn on black")
    deep = with_chunk(
        imagecodecs.png_encode(image.astype(np.uint16) * 257), b"tRNS", struct.pack(">HHH", 200 * 257, 2570, 2570)
    )
    check(deep, seen, "16 bits, scaled to 8; transparent pixels drawn on black")
    grey = np.where(np.arange(SIDE)[:, None] < 10, np.uint8(200), picture(1)[:, :, 0] // 2)
    data = with_chunk(saved(Image.fromarray(grey), "PNG"), b"tRNS", struct.pack(">H", 200))
    check(data, np.where(grey == 200, 0, grey)[:, :, None], "transparent pixels drawn on black")
    indexed = Image.fromarray(image).quantize(16)
    first = indexed.getpixel((0, 0))
    colours = np.asarray(indexed.convert("RGB")).copy()
    colours[np.asarray(indexed) == first] = 0
    for kind in ("PNG", "GIF"):
        check(saved(indexed, kind, transparency=first), colours, "transparent pixels drawn on black")


@given(opacity=st.integers(0, 255), colour=st.tuples(*[st.integers(0, 255)] * 3))
@example(opacity=255, colour=(255, 255, 255))
@example(opacity=255, colour=(9, 99, 199))
@settings(max_examples=30, deadline=None)
def test_opacity_weakens_a_colour_in_proportion(opacity: int, colour: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (9, 99, 199, 255))
    image.paste((120, 60, 30, 255), (SIDE // 2, 0, SIDE, SIDE))
    image.paste((*colour, opacity), (0, 0, 2, 2))  # a corner: half a frame of white would be refused
    pixels, _ = decode(saved(image, "PNG"), WHOLE)
    np.testing.assert_allclose(pixels[0, 0], np.array(colour) * opacity / 255, atol=0.51)


# --- several pictures in one file


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_of_several_frames_is_read_and_said(kind: str) -> None:
    frames = [Image.fromarray(picture(seed=seed)).quantize(200) for seed in range(4)]
    frames = frames if kind == "GIF" else [frame.convert("RGB") for frame in frames]
    how = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **how)
    check(data, np.asarray(frames[0].convert("RGB")).astype(float), "frame 1 of 4")


def test_pages_of_one_band_are_never_taken_for_one_picture() -> None:
    bands = np.moveaxis(picture(), 2, 0)
    pages = tiff(bands, photometric="minisblack")
    imagej = io.BytesIO()
    tifffile.imwrite(imagej, bands, imagej=True)
    shaped = io.BytesIO()
    tifffile.imwrite(shaped, bands, photometric="minisblack")
    for data in (pages, imagej.getvalue(), shaped.getvalue(), tiff(bands.astype(np.float32), photometric="minisblack")):
        with pytest.raises(ImageError, match=r"it holds 3 pages of one band each.*save one colour image, or FITS"):
            decode(data, WHOLE)
    check(tiff(bands[:2], photometric="minisblack"), bands[0][:, :, None], "frame 1 of 2")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("bands", [2, 3, 5])
def test_samples_that_nothing_calls_colours_are_refused(bands: int, bits: int) -> None:
    values = picture(bands, dtype=np.uint8 if bits == 8 else np.uint16)
    data = tiff(values, photometric="minisblack", planarconfig="contig", extrasamples=["unspecified"] * (bands - 1))
    with pytest.raises(ImageError, match=f"it holds {bands} bands that no tag calls colours"):
        decode(data, WHOLE)


@pytest.mark.parametrize("bits", [8, 16])
def test_more_bands_than_colours_are_left_out_and_said(bits: int) -> None:
    image = picture(4)
    values = image if bits == 8 else image.astype(np.uint16) * 257
    data = tiff(values, photometric="rgb", extrasamples=["unspecified"])
    depth = "" if bits == 8 else "; 16 bits, scaled to 8"
    check(data, image[:, :, :3], f"the colours of 4 channels; 1 left out{depth}")


def test_a_preview_is_no_second_picture() -> None:
    image, buffer = picture(), io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(image, photometric="rgb", metadata=None)
        writer.write(image[::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
    check(buffer.getvalue(), image, None)


# --- other colours and kinds of numbers


def test_other_colours_of_8_bits_are_converted() -> None:
    image = Image.fromarray(picture())
    check(saved(image.quantize(256), "PNG"), np.asarray(image.quantize(256).convert("RGB")).astype(float), None)
    check(saved(image.quantize(256), "TIFF"), np.asarray(image.quantize(256).convert("RGB")).astype(float), None)
    ink = image.convert("CMYK")
    check(saved(ink, "TIFF"), np.asarray(ink.convert("RGB")).astype(float), None)
    soft = Image.fromarray(
        np.kron(picture()[::4, ::4] // 2, np.ones((4, 4, 1), np.uint8))
    )  # colours are stored coarsely
    check(saved(soft, "TIFF", compression="jpeg", quality=100), np.asarray(soft).astype(float), None, within=6)
    black = Image.fromarray(picture(1)[:, :, 0] > 128)
    pixels, _ = decode(saved(black, "TIFF", compression="group4"), GREY)  # the note says how much is black
    np.testing.assert_array_equal(pixels[:, :, 0], np.asarray(black.convert("L")))
    check(tiff(255 - picture(1)[:, :, 0], photometric="miniswhite"), picture(1).astype(float), None)


REFUSED = {
    "signed": (tiff(picture(3, dtype=np.int16), photometric="rgb"), "signed numbers of 16 bits"),
    "32 bits": (tiff(picture(3, dtype=np.uint32), photometric="rgb"), "unsigned numbers of 32 bits"),
    "64 bits": (tiff(picture(1, dtype=np.uint64)[:, :, 0]), "unsigned numbers of 64 bits"),
    "flux": (tiff(picture(1).astype(np.float32)[:, :, 0] * 0.0131), "floating-point numbers without a stated scale"),
    "flux in colour": (tiff(picture().astype(np.float32) * 0.01, photometric="rgb"), "floating-point"),
    "flux below 0": (tiff(picture().astype(np.float32) / 255 - 0.02, photometric="rgb"), "floating-point"),
    "floats of a mask": (tiff((picture() > 99).astype(np.float32), photometric="rgb"), "floating-point"),
    "not a number": (tiff(np.full((SIDE, SIDE), np.nan, np.float32)), "floating-point"),
    "complex": (tiff(picture(1)[:, :, 0].astype(np.complex64)), "floating-point|numbers of 64 bits"),
    "inks of 16 bits": (tiff(picture(4, dtype=np.uint16), photometric="separated"), "its colours are SEPARATED"),
    "Lab of 16 bits": (tiff(picture(3, dtype=np.uint16), photometric="cielab"), "its colours are CIELAB"),
    "white is 0, of 16 bits": (tiff(picture(1, dtype=np.uint16)[:, :, 0], photometric="miniswhite"), "MINISWHITE"),
    "a volume": (tiff(picture(8)[None], photometric="minisblack", volumetric=True), "it is a volume|bands"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n" + b" " * 99, "PostScript"),
    "PFM": (b"Pf\n40 40\n-1.0\n" + bytes(6400), "floating-point numbers without a stated scale"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_known_scale_or_colours_is_refused(name: str) -> None:
    data, says = REFUSED[name]
    with pytest.raises(ImageError, match=says) as caught:
        decode(data, WHOLE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_a_tiff_cut_short_is_refused(bits: int, planar: bool) -> None:
    values = picture(3, dtype=np.uint8 if bits == 8 else np.uint16, white=2**bits - 1)
    shaped = np.moveaxis(values, 2, 0) if planar else values
    data = tiff(shaped, photometric="rgb", planarconfig="separate" if planar else "contig", rowsperstrip=8)
    with pytest.raises(ImageError, match=r"truncated or damaged TIFF|cannot be decoded"):
        decode(data[: int(0.7 * len(data))], WHOLE)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_ends_in_anything_but_pixels_or_an_image_error(data: st.DataObject) -> None:
    deep = picture(3, dtype=np.uint16, white=65535)
    sources = [
        tiff(deep, photometric="rgb", compression="zlib", rowsperstrip=8),
        tiff(np.moveaxis(deep, 2, 0), photometric="rgb", planarconfig="separate"),
        imagecodecs.png_encode(deep),
    ]
    whole = bytearray(data.draw(st.sampled_from(sources)))
    start = data.draw(st.one_of(st.integers(0, 250), st.integers(0, len(whole) - 1)))  # most often the tags
    patch = data.draw(st.binary(max_size=8))
    whole[start : start + len(patch)] = patch
    try:
        pixels, _ = decode(bytes(whole), WHOLE)
    except ImageError:
        return
    assert pixels.shape == (SIDE, SIDE, 3)


# --- claims


def claimed(side: int) -> dict[str, bytes]:
    """Small files that say they are `side` pixels a side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    jpeg = bytearray(saved(Image.fromarray(picture()), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    plain = bytearray(tiff(picture(), photometric="rgb"))
    deep = bytearray(tiff(picture(3, dtype=np.uint16), photometric="rgb", compression="zlib"))
    for page in (plain, deep):
        for tag in (256, 257):
            at = page.index(struct.pack("<HHI", tag, 3 if struct.pack("<HHI", tag, 3, 1) in page else 4, 1)) + 8
            page[at : at + 2] = struct.pack("<H", side)
    return {"PNG": png, "JPEG": bytes(jpeg), "TIFF": bytes(plain), "TIFF of 16 bits": bytes(deep)}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "TIFF of 16 bits"])
@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_claim_to_be_huge_is_refused_before_anything_is_decoded(kind: str, side: int) -> None:
    with pytest.raises(ImageError, match=r"it says that it (is|has)"):
        decode(claimed(side)[kind], WHOLE)
