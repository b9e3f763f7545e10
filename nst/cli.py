"""`python -m nst …`: the command line, a thin face over the same API as the dashboard.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. An interrupted run keeps its best picture. TensorFlow is
loaded only by `stylize` and `info`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np

import nst
from nst import config, exchange, image, weights
from nst.config import Settings
from nst.errors import ImageError, NSTError, SettingsError
from nst.files import atomic_file, write_atomically
from nst.gallery import Gallery, check_id, default_name, default_root
from nst.result import Result, Status, Step
from nst.tiff import encode_tiff16

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
LOG_EVERY = 5.0
"""Seconds between two log lines where there is no terminal to draw a bar on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name may hold what the terminal can't show
    options = _parser().parse_args(arguments)  # leaves by itself, with 2, on wrong usage
    try:
        return options.run(options)
    except SettingsError as error:
        return _complain(error, USAGE)
    except NSTError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return _complain("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of a pipe has gone
        return FAILED
    except Exception as error:  # a person asked for a picture: one line, not a traceback
        if os.environ.get("NST_DEBUG"):
            raise
        told = "There was not enough memory" if _out_of_memory(error) else f"Unexpected {type(error).__name__}: {error}"
        return _complain(f"{told}. Try a smaller --size, or set NST_DEBUG=1 for the details.", FAILED)


# stylize ---------------------------------------------------------------------------------------------------------


def _stylize(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if options.init_picture is not None:
        settings = settings.replace(init="picture")
    encode = _encoder(options.output)
    content = image.load(options.content)
    styles = [image.load(style) for style in options.styles]
    initial = image.load(options.init_picture).rgb if options.init_picture else None
    gallery = None if options.no_gallery else Gallery(options.gallery or default_root())
    # Before painting, which takes minutes: what can't be kept is told now, and the output may replace an input.
    paths = [options.content, *options.styles, *filter(None, [options.init_picture])]
    inputs = [gallery.add_input(path.read_bytes(), path.name) for path in paths] if gallery else []

    with _interrupts() as interrupted:
        result = _paint(options, settings, [content, *styles], initial, gallery, interrupted)
        if not result.history:
            if interrupted.is_set():
                return _complain("Interrupted before the first picture.", INTERRUPTED)
            return _complain(result.message, FAILED)
        entry_id = None
        try:
            _write(result, options.output, content.alpha, encode)
        finally:  # where one place takes no more, the other may
            if gallery:
                photograph, chosen = inputs[0], inputs[1 : 1 + len(styles)]
                entry_id = gallery.save(
                    result,
                    name=default_name(photograph.label, [style.label for style in chosen]),
                    content=photograph,
                    styles=chosen,
                    alpha=content.alpha,
                    initial=inputs[-1] if options.init_picture else None,
                ).id
    _report(result, options, entry_id)
    if result.status == Status.FAILED:
        return _complain(result.message, FAILED)
    return INTERRUPTED if result.status == Status.CANCELLED else DONE


def _paint(
    options: argparse.Namespace,
    settings: Settings,
    pictures: Sequence[image.Picture],
    initial: np.ndarray | None,
    gallery: Gallery | None,
    interrupted: threading.Event,
) -> Result:
    engine = _engine()
    with _Meter(interrupted, quiet=options.json) as meter:
        network = weights.find(
            weights.choose(options.weights, config.PRESETS[settings.preset].network), progress=meter.downloading
        )
        meter.tell(f"Network: {network.info.source}.")
        return engine.stylize(
            pictures[0].rgb,
            [style.rgb for style in pictures[1:]],
            settings,
            network=network,
            cache=engine.TargetCache(gallery.targets if gallery else None),
            initial=initial,
            cancelled=interrupted.is_set,
            on_step=_Frames(meter, options.output),
        )


def _settings(options: argparse.Namespace) -> Settings:
    """The preset's settings with the options that were given."""
    given = {
        name: getattr(options, name)
        for name in (
            "size",
            "iterations",
            "early_iterations",
            "precision",
            "strength",
            "content_weight",
            "style_weight",
            "tv_weight",
            "style_weights",
            "style_scale",
            "optimizer",
            "init",
            "seed",
            "save_every",
        )
        if getattr(options, name) is not None
    }
    settings = config.preset(options.preset)
    if len(options.styles) > config.MAX_STYLES:
        raise SettingsError(f"At most {config.MAX_STYLES} styles are blended. Received: {len(options.styles)}.")
    if options.style_weights and len(options.style_weights) != len(options.styles):
        raise SettingsError(
            f"--style-weights needs one number a style. Received: {len(options.style_weights)} for "
            f"{len(options.styles)} styles."
        )
    return settings.with_optimizer(given.pop("optimizer", settings.optimizer)).replace(**given)


def _write(result: Result, output: Path, alpha: np.ndarray | None, encode: Any) -> None:
    if alpha is not None:
        alpha = image.resize(alpha, (result.picture.shape[1], result.picture.shape[0]))
    text = {"text": {"nst": json.dumps(_told(result))}} if encode is image.encode_png else {}
    try:
        write_atomically(output.resolve(), encode(result.picture, alpha, **text))
    except OSError as error:
        raise ImageError(f"The picture could not be written to {output}: {error}. Choose another -o.") from error


def _told(result: Result) -> dict[str, Any]:
    """A result in JSON types, without its picture."""
    return {
        "status": str(result.status),
        "message": result.message,
        "seconds": round(result.seconds, 3),
        "evaluations": result.evaluations,
        "full_size_evaluations": round(result.full_size_evaluations, 3),
        "losses": {name: getattr(result.losses, name) for name in ("total", "content", "style", "tv")},
        "network": result.network._asdict(),
        "settings": result.settings.to_dict(),
        "versions": dict(result.versions),
    }


def _report(result: Result, options: argparse.Namespace, entry_id: str | None) -> None:
    if options.json:
        print(json.dumps(_told(result) | {"output": str(options.output), "gallery_id": entry_id}))
        return
    kept = f" In the gallery as {entry_id}." if entry_id else ""
    print(f"{result.message} Wrote {options.output} in {result.seconds:.1f} s.{kept}")


_ENCODERS = {
    ".png": image.encode_png,
    ".jpg": image.encode_jpeg,
    ".jpeg": image.encode_jpeg,
    ".webp": image.encode_webp,
    ".tif": encode_tiff16,
    ".tiff": encode_tiff16,
}


def _encoder(output: Path) -> Any:
    if output.is_dir() or not output.parent.is_dir():
        wrong = "is a folder" if output.is_dir() else "lies in a folder that does not exist"
        raise ImageError(f"The output {wrong}. Received: {output}. Choose another -o, or create the folder first.")
    try:
        return _ENCODERS[output.suffix.lower()]
    except KeyError:
        known = ", ".join(_ENCODERS)
        raise SettingsError(f"-o names no picture format. Received: {output}. End it in one of {known}.") from None


class _Frames:
    """Shows every step and writes the frames that --save-every asks for beside the output."""

    def __init__(self, meter: _Meter, output: Path) -> None:
        self.meter, self.output = meter, output

    def __call__(self, step: Step) -> None:
        self.meter(step)
        if not step.keep_frame:
            return
        path = self.output.with_name(f"{self.output.stem}_{step.losses.evaluation:06d}.png")
        try:
            write_atomically(path, image.encode_png(step.picture()))
        except OSError as error:  # a frame is not worth losing the picture for
            self.meter.tell(f"A frame could not be written: {error}.")


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C and a polite kill set the event; a second one ends the program at once."""
    event = threading.Event()

    def stop(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Meter:
    """Progress on stderr: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet."""

    def __init__(self, interrupted: threading.Event, *, quiet: bool) -> None:
        self.interrupted, self.quiet = interrupted, quiet
        self.bar = sys.stderr.isatty()
        self.told = float("-inf")
        self.drawn = False

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.drawn:
            print(file=sys.stderr)

    def __call__(self, step: Step) -> None:
        left = "" if step.remaining is None else f", {step.remaining:.0f} s left"
        where = f"{step.losses.width} × {step.losses.height}, step {step.iteration}/{step.iterations}"
        if step.note:
            self.tell(step.note)
        self._show(
            step.progress, f"{where}, loss {step.losses.total:.4g}{left}", last=step.progress >= 1 or step.keep_frame
        )

    def downloading(self, got: int, of: int | None) -> None:
        if self.interrupted.is_set():
            raise KeyboardInterrupt
        self._show(got / of if of else 0.0, f"downloading VGG19, {got / 1e6:.0f} MB", last=got == of)

    def tell(self, line: str) -> None:
        if self.quiet:
            return
        print(("\r\x1b[K" if self.drawn else "") + line, file=sys.stderr)
        self.drawn = False

    def _show(self, fraction: float, words: str, *, last: bool) -> None:
        now = time.monotonic()
        if self.quiet or (now - self.told < (0.1 if self.bar else LOG_EVERY) and not last):
            return
        self.told = now
        if not self.bar:
            print(f"{fraction:4.0%}  {words}", file=sys.stderr, flush=True)
            return
        filled = round(24 * fraction)
        print(
            f"\r\x1b[K{'█' * filled}{'░' * (24 - filled)} {fraction:4.0%}  {words}", end="", file=sys.stderr, flush=True
        )
        self.drawn = True


# gallery and info ------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    page = Gallery(options.gallery or default_root()).query(text=options.search, limit=options.limit)
    for entry in page.entries:
        print(f"{entry.id}  {entry.width}x{entry.height}  {entry.preset:<20} {entry.status:<10} {entry.name}")
    print(f"{len(page.entries)} of {page.total} results", file=sys.stderr)
    return DONE


def _show(options: argparse.Namespace) -> int:
    gallery = Gallery(options.gallery or default_root())
    print(json.dumps(gallery.get(options.id).to_dict(), indent=2, ensure_ascii=False))
    return DONE


def _export(options: argparse.Namespace) -> int:
    gallery = Gallery(options.gallery or default_root())
    ids = [check_id(entry_id) for entry_id in options.ids]
    name = ids[0] if len(ids) == 1 else "gallery"
    output = (options.output or Path(f"nst-{name}.zip")).resolve()
    try:
        with atomic_file(output) as file:
            told = exchange.export(gallery, ids, file)
            if not told.written:
                raise NSTError("; ".join(f"{entry}: {reason}" for entry, reason in told.refused.items()))
    except OSError as error:
        raise NSTError(f"The zip could not be written to {output}: {error}. Choose another -o.") from error
    print(options.output or output.name)
    return _refused(told.refused)


def _import(options: argparse.Namespace) -> int:
    told = exchange.import_(Gallery(options.gallery or default_root()), options.zip)
    print(f"{len(told.added)} added, {len(told.present)} there already.")
    return _refused(told.refused)


def _refused(reasons: Mapping[str, str]) -> int:
    for what, reason in reasons.items():
        print(f"Left out: {what}: {reason}", file=sys.stderr)
    return FAILED if reasons else DONE


def _rebuild(options: argparse.Namespace) -> int:
    rebuilt = Gallery(options.gallery or default_root()).rebuild()
    print(f"{rebuilt.entries} results in the index.")
    for folder, reason in rebuilt.damaged.items():
        print(f"Damaged: {folder}: {reason}", file=sys.stderr)
    return FAILED if rebuilt.damaged else DONE


def _info(options: argparse.Namespace) -> int:
    described = weights.describe(options.weights)
    for name, version in _engine().versions().items():
        print(f"{name:<12}{version}")
    print(f"{'precision':<12}{_engine().quicker_precision()}")
    print(f"{'platform':<12}{platform.platform()}")
    print(f"{'network':<12}{described.text}")
    print(f"{'gallery':<12}{default_root()}")
    return DONE


# parsing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Numbers:
    """Parses a list of numbers separated by commas, with a message that says so."""

    def __call__(self, text: str) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"numbers separated by commas wanted, received {text!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nst", description="Paint a photograph in the style of other pictures.")
    parser.add_argument("--version", action="version", version=f"nst {nst.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_stylize(commands.add_parser("stylize", help="paint a picture"))
    _add_gallery(commands.add_parser("gallery", help="list, show, export, import or re-index results"))
    info = commands.add_parser("info", help="versions, device, and which weights would be used")
    info.add_argument("--weights", metavar="PATH|builtin")
    info.set_defaults(run=_info)
    return parser


def _add_stylize(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_stylize, init_picture=None)
    parser.add_argument("content", type=Path, metavar="CONTENT", help="the photograph")
    parser.add_argument("styles", type=Path, nargs="+", metavar="STYLE", help="one or more style pictures")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help=".png, .jpg, .webp or .tif (16 bits)"
    )
    parser.add_argument("--preset", default=config.DEFAULT_PRESET, choices=tuple(config.PRESETS))
    parser.add_argument("--size", type=int, help="pixels of the longest side")
    parser.add_argument("--iterations", type=int, help="at full size, at most")
    parser.add_argument("--early-iterations", type=int, help="before these, with the quick built-in filters, at most")
    parser.add_argument(
        "--precision",
        choices=get_args(config.Precision),
        help="mixed is quicker on hardware made for it, slower elsewhere",
    )
    parser.add_argument("--strength", type=float, help="0 (photograph) to 100 (style); draft and studio only")
    for name in ("content", "style", "tv"):
        parser.add_argument(f"--{name}-weight", type=float)
    parser.add_argument("--style-weights", type=_Numbers(), metavar="A,B", help="shares of several styles")
    parser.add_argument(
        "--style-scale", type=float, help="size of the strokes; 1 is the style picture as wide as the result"
    )
    parser.add_argument("--optimizer", choices=get_args(config.OptimizerName))
    parser.add_argument("--init", metavar="content|statistics|noise|PATH", action=_Init, help="what to start from")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--weights", metavar="PATH|builtin", help="a VGG19 file, or the built-in filters")
    parser.add_argument("--save-every", type=int, metavar="N", help="also write the picture every N iterations")
    parser.add_argument("--json", action="store_true", help="print one JSON object with the result")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--gallery", type=Path, metavar="DIR")
    kept.add_argument("--no-gallery", action="store_true")


class _Init(argparse.Action):
    """`--init` takes a word or a picture's path."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, value: Any, option: str | None = None) -> None:
        namespace.init = value if value in get_args(config.Init) and value != "picture" else None
        namespace.init_picture = None if namespace.init else Path(value)


def _add_gallery(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--gallery", type=Path, metavar="DIR")
    listing = actions.add_parser("list", parents=[shared], help="newest first")
    listing.add_argument("--search", default="", metavar="TEXT")
    listing.add_argument("--limit", type=int, default=50, metavar="N")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", parents=[shared], help="everything about one result, as JSON")
    show.add_argument("id")
    show.set_defaults(run=_show)
    export = actions.add_parser("export", parents=[shared], help="results with all their files, as one zip")
    export.add_argument("ids", nargs="+", metavar="id")
    export.add_argument("-o", "--output", type=Path, metavar="ZIP")
    export.set_defaults(run=_export)
    import_ = actions.add_parser("import", parents=[shared], help="take in a zip that was exported here or elsewhere")
    import_.add_argument("zip", type=Path, metavar="ZIP")
    import_.set_defaults(run=_import)
    rebuild = actions.add_parser("rebuild", parents=[shared], help="make the index anew from the folders")
    rebuild.set_defaults(run=_rebuild)


def _engine() -> ModuleType:
    """`nst.engine`, imported without TensorFlow's start-up chatter, which no setting of its own silences."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return importlib.import_module("nst.engine")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _complain(message: object, code: int) -> int:
    print(f"nst: {message}", file=sys.stderr)
    return code
