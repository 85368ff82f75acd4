"""The commands that let a student out of its study: as a folder of files, and to predict pictures."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from pfs.commands.arguments import DATA, RESULTS, STUDY, absolute, add_command, not_empty, threads
from pfs.config.files import repository

if TYPE_CHECKING:
    from pfs.export.predict.model import Model


def add_commands(commands: Any) -> None:
    """Add `export` and `predict`."""
    export = add_command(commands, "export", _export, STUDY, RESULTS, DATA)
    export.set_defaults(stoppable=True)
    export.add_argument("method", metavar="METHOD", help="a method of the study, or teacher")
    export.add_argument("seed", metavar="SEED", type=int, help="the run's seed")
    export.add_argument("--out", metavar="DIR", type=absolute, help="the folder (exports/STUDY-METHOD-SEED)")
    export.add_argument(
        "--int8", action="store_true", help="write a network in 8 bits too, and score it (needs the data)"
    )
    predict = add_command(commands, "predict", _predict)
    predict.set_defaults(outside=True, stoppable=True)
    predict.add_argument(
        "model", metavar="MODEL", type=absolute, help="a folder of `pfs export`, or an .onnx file in it"
    )
    pictures = "a picture, a folder, or a pattern in quotes"
    predict.add_argument("pictures", metavar="IMAGE", type=not_empty, nargs="+", help=pictures)
    predict.add_argument("--out", metavar="DIR", type=absolute, required=True, help="folder of the predictions")
    predict.add_argument("--probabilities", action="store_true", help="write those of all classes too, as .npz")
    white = "the value that is white in grey pictures of more than 8 bits (%(default)s)"
    predict.add_argument("--white", metavar="N", type=_white, default=65535, help=white)
    predict.add_argument("--threads", type=threads, default=0, help="to compute with (all cores)")


def _white(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _export(options: argparse.Namespace) -> int:
    """write a finished run as a folder: weights, ONNX, a model card; with --int8 in 8 bits, too"""
    from pfs.config.load import load_study  # which `pfs predict` must do without: it needs pydantic

    study = load_study(options.study)
    default = repository() / "exports" / f"{study.name}-{options.method}-{options.seed}"
    out: Path = options.out or default
    from pfs.export.run import export_run  # torch takes seconds to import

    command = f"pfs study {' '.join(options.typed)}"
    where = {"results": options.results, "data": options.data, "command": command}
    description = export_run(study, options.method, options.seed, out, **where, int8=options.int8)
    scores = ", ".join(f"{miou:.1f} % mIoU on {split}" for split, miou in description.miou.items())
    print(f"{out}: {scores} (start with README.md)")
    if description.int8 is not None:
        lost = {split: description.int8.int8[split] - miou for split, miou in description.int8.fp32.items()}
        print("in 8 bits: " + ", ".join(f"{points:+.2f} points of mIoU on {split}" for split, points in lost.items()))
    return 0


def _predict(options: argparse.Namespace) -> int:
    """predict pictures by an exported network: a mask with colours and an overlay for each"""
    from pfs.export.folder import ExportError
    from pfs.export.predict.model import open_model
    from pfs.export.predict.pictures import find_pictures, numbered, output_names

    pictures, problems, notes = find_pictures(options.pictures, but=options.out)
    if options.out.exists() and not options.out.is_dir():
        raise ExportError(f"--out {options.out}: is a file: name a folder")
    model = open_model(options.model, options.threads)
    names = output_names(pictures)
    for line in (*problems, *notes, *numbered(pictures, names)):
        print(line, file=sys.stderr)
    failed = _predict_each(model, dict(zip(pictures, names, strict=True)), options)
    print(f"{options.out}: {len(pictures) - failed} of {len(pictures)} pictures predicted")
    return 1 if failed or problems else 0


def _predict_each(model: "Model", named: dict[Path, str], options: argparse.Namespace) -> int:
    """Predict pictures, each into the files of its name; tells those that cannot be predicted, and counts them."""
    from pfs.data.loading.images import ImageError
    from pfs.export.folder import ExportError
    from pfs.export.predict.files import predict_file

    failed = 0
    how = {"white": options.white, "with_probabilities": options.probabilities}
    for file, name in tqdm(named.items(), unit="picture", disable=None):
        try:
            predict_file(model, file, options.out, name, **how)
            continue
        except ImageError as error:
            said = f"{file} {error}"
        except ExportError as error:
            said = f"{file}: {error}"
        except MemoryError:
            said = f"{file}: needs more memory than there is: make it smaller, or cut it"
        failed += 1
        tqdm.write(said, file=sys.stderr)
    return failed
