"""`finbench data`: the benchmarks' rows: list, fetch, verify, pack, unpack."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  finbench data list                               what is known, and where it was found
  finbench data fetch finqa tfns                   from the publishers, at pinned versions, checked by hash
  finbench data verify                             are the files the pinned ones?

without a network (docs/air-gapped.md):
  finbench data pack --tasks all -o pack.tar       on a connected machine
  finbench data unpack pack.tar                    on the other one
  finbench data verify
exit codes: 0 done; 1 verify found damaged files, or none; 2 usage, network or data error
"""

LIST_EPILOG = """\
examples:
  finbench data list
  finbench data list --data /mnt/benchmarks --json
"""

FETCH_EPILOG = """\
examples:
  finbench data fetch finqa                 into the cache, where `finbench run` finds it
  finbench data fetch all --into ./rows     into a folder, to be used with --data ./rows

Every file is compared with its pinned size and hash before it is put in place; files that are there and right are kept.
HF_HUB_OFFLINE=1 or FINBENCH_OFFLINE=1 forbid it.
"""

VERIFY_EPILOG = """\
examples:
  finbench data verify                      the cache
  finbench data verify ./rows
  finbench data verify pack.tar             a pack, before it is carried over
"""

PACK_EPILOG = """\
examples:
  finbench data pack --tasks all -o pack.tar
  finbench data pack --tasks finqa,tfns --data ./rows -o two.tar

Rows, their licences, and a manifest with hashes. Equal files make an equal archive, byte for byte.
"""

UNPACK_EPILOG = """\
examples:
  finbench data unpack pack.tar             into the cache, where `finbench run` finds it
  finbench data unpack pack.tar --into ./rows

Nothing is put in place unless everything in the pack agrees with its manifest.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The flags of `finbench data ...`."""
    parser.description = "The benchmarks' rows: where they are, where they come from, whether they are the right ones."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "known data sets, and where their rows were found", LIST_EPILOG)
    listing.add_argument("--data", metavar="DIR", help="folder to look in (default: FINBENCH_DATA and the cache)")
    fetch = _action(actions, "fetch", "download data sets from their publishers", FETCH_EPILOG)
    fetch.add_argument(
        "datasets", nargs="*", default=["all"], metavar="DATASET", help="names from `finbench data list` (default: all)"
    )
    fetch.add_argument("--into", type=Path, metavar="DIR", help="data folder to fill (default: the cache)")
    verify = _action(actions, "verify", "compare files with their pinned hashes", VERIFY_EPILOG)
    verify.add_argument(
        "path", nargs="?", type=Path, metavar="PATH", help="a data folder or a pack (default: what runs use)"
    )
    pack = _action(actions, "pack", "carry data sets as one archive", PACK_EPILOG)
    pack.add_argument("--tasks", default="all", help="comma-separated tasks whose rows to pack (default: all)")
    pack.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the archive to write")
    pack.add_argument("--data", metavar="DIR", help="folder to look in (default: FINBENCH_DATA and the cache)")
    unpack = _action(actions, "unpack", "put the files of a pack in place", UNPACK_EPILOG)
    unpack.add_argument("pack", type=Path, metavar="PACK", help="an archive made by `finbench data pack`")
    unpack.add_argument("--into", type=Path, metavar="DIR", help="data folder to fill (default: the cache)")


def _action(actions: Any, name: str, text: str, epilog: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return made


def main(args: argparse.Namespace) -> int:
    """Run one of the actions; the exit code."""
    actions = {"list": _list, "fetch": _fetch, "verify": _verify, "pack": _pack, "unpack": _unpack}
    return actions[args.action](args)


def _say(text: str) -> None:
    from finbench.sanitize import shown

    print(shown(text), file=sys.stderr)


def _list(args: argparse.Namespace) -> int:
    from finbench.sanitize import shown
    from finbench.tasks import download

    holdings = download.inventory(args.data)
    if args.json:
        listed = [{**asdict(holding), "found": str(holding.found) if holding.found else None} for holding in holdings]
        print(json.dumps({"schema": 1, "datasets": listed}))
        return 0
    print(f"{'data set':<18}{'rows':>8}  {'licence':<28}found")
    for holding in holdings:
        where = shown(holding.found) if holding.found else f"no: finbench data fetch {holding.dataset}"
        print(f"{holding.dataset:<18}{holding.rows:>8,}  {holding.licence:<28}{where}")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from finbench.errors import UsageError
    from finbench.tasks import data_files, download

    known = data_files.datasets()
    wanted = list(known) if "all" in args.datasets else list(dict.fromkeys(args.datasets))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"no data set {unknown[0]!r}; known are {', '.join(known)}, all")
    fetched = []
    for name in wanted:
        files = [file for file in data_files.pinned() if file.dataset == name and file.url]
        _say(f"{name}: {len(files)} file{'s' if len(files) != 1 else ''}, {_size(files)} ...")
        paths = download.fetch(name, args.into)
        fetched += [str(path) for path in paths]
        _say(f"{name}: in place and checked")
    if args.json:
        print(json.dumps({"schema": 1, "files": fetched}))
    else:
        print("\n".join(fetched))
    return 0


def _size(files: Any) -> str:
    known = [file.size for file in files if file.size is not None]
    total = f"{sum(known) / 1e6:,.1f} MB"
    return total if len(known) == len(files) else f"{total} and {len(files) - len(known)} of unknown size"


def _verify(args: argparse.Namespace) -> int:
    import os

    from finbench.sanitize import shown
    from finbench.tasks import archive, data_files

    chosen = os.environ.get("FINBENCH_DATA")
    path = args.path or (Path(chosen) if chosen and chosen != data_files.SAMPLE else data_files.cache_dir())
    if args.path is None and not path.is_dir():
        _say(f"{path}: there is no data yet; finbench data fetch NAME, or finbench data unpack PACK")
        return 1
    verdicts = archive.verify(path)
    damaged = [verdict for verdict in verdicts if verdict.status == "damaged"]
    if args.json:
        print(json.dumps({"schema": 1, "path": str(path), "files": [asdict(verdict) for verdict in verdicts]}))
    else:
        for verdict in verdicts:
            print(f"{verdict.status:<8} {shown(verdict.path)}: {shown(verdict.detail)}")
        _say(f"{path}: {len(verdicts)} files, {len(damaged)} damaged")
    if not verdicts:
        _say(f"{path}: holds no file of a known data set; folders in it are named finqa, tfns, ...")
    return 1 if damaged or not verdicts else 0


def _pack(args: argparse.Namespace) -> int:
    from finbench.tasks import archive

    names = [name.strip() for name in args.tasks.split(",") if name.strip()]
    _say(f"reading and checking the rows of {', '.join(names)} ...")
    packed = archive.pack(names, args.output, data=args.data)
    size = args.output.stat().st_size
    if args.json:
        print(json.dumps({"schema": 1, "pack": str(args.output), "bytes": size, "files": packed}))
    else:
        print(args.output)
    _say(f"{len(packed)} files, {size / 1e6:,.1f} MB. On the other machine: finbench data unpack {args.output.name}")
    return 0


def _unpack(args: argparse.Namespace) -> int:
    from finbench.tasks import archive, data_files

    placed = archive.unpack(args.pack, args.into)
    if args.json:
        print(json.dumps({"schema": 1, "files": [str(path) for path in placed]}))
    else:
        print("\n".join(map(str, placed)))
    folder = args.into or data_files.cache_dir()
    _say(f"{len(placed)} files in {folder}, each as its manifest says. Next: finbench data verify {folder}")
    return 0
