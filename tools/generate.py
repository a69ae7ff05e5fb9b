"""Generate from `proto/` the messages, the RPCs of the client, OpenAPI documents, and the fields of commands.

    python -m tools.generate          write them
    python -m tools.generate --check  fail where what is committed is not what would be written
    python -m tools.generate --lint   fail where the protos break a rule of buf.yaml, or are not formatted

All tools are installed from PyPI with the development dependencies; nothing is downloaded at this time.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import google.api  # type: ignore[import-untyped]  # ships no types
import grpc_tools.protoc  # type: ignore[import-untyped]  # ships no types
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from protobuf.wkt import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

from tracker.pb import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
GENERATED = Path("src", "tracker", "pb", "generated")
SPEC = Path("src", "tracker", "api", "spec")
TABLE = Path("src", "tracker", "cli", "spec")
RPCS = Path("src", "tracker", "client", "rpcs")
PLACES = (GENERATED, SPEC, TABLE, RPCS)
GRPC = {
    "grpc/health/v1/health.proto": health_pb2.DESCRIPTOR.serialized_pb,
    "grpc/reflection/v1alpha/reflection.proto": reflection_pb2.DESCRIPTOR.serialized_pb,
    # The same messages and service as v1alpha.
    "grpc/reflection/v1/reflection.proto": reflection_pb2.DESCRIPTOR.serialized_pb,
}
"""The standard services of gRPC, which its packages have without their source."""


def compile_protos(image: Path) -> None:
    """Write the descriptors of every proto, with comments and imports, to `image`."""
    site_packages = Path(next(iter(google.api.__path__))).parent.parent
    well_known = Path(grpc_tools.protoc.__file__).parent / "_proto"
    rules = validate_pb.desc()
    standard = [_standard_proto(name, proto) for name, proto in GRPC.items()]
    protos = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "compiled.binpb")
        files = [d.proto for d in rules.dependencies] + [rules.proto, *standard]
        compiled.write_bytes(FileDescriptorSet(file=files).to_binary())
        code = grpc_tools.protoc.main(
            [
                "protoc",
                f"--descriptor_set_in={compiled}",
                f"--proto_path={ROOT}",
                f"--proto_path={site_packages}",
                f"--proto_path={well_known}",
                "--include_imports",
                "--include_source_info",
                f"--descriptor_set_out={image}",
                *protos,
                *GRPC,
                "google/rpc/error_details.proto",
                "google/rpc/status.proto",
            ]
        )
    if code:
        sys.exit(code)


def _standard_proto(name: str, serialized: bytes) -> FileDescriptorProto:
    """Return the descriptor of a standard service under its official name, and in the version of that."""
    version = Path(name).parts[-2]
    file = FileDescriptorProto.from_json(
        FileDescriptorProto.from_binary(serialized).to_json().replace("v1alpha", version)
    )
    file.name, file.options = name, None
    return file


def buf(*arguments: str | Path) -> int:
    """Run buf at the root of the repository, with the plugins of this environment; return its exit code."""
    scripts = sysconfig.get_path("scripts")
    with tempfile.TemporaryDirectory() as home:
        path = os.pathsep.join([scripts, os.defpath])
        return subprocess.run(
            [Path(scripts, "buf"), *arguments], cwd=ROOT, check=False, env={"PATH": path, "HOME": home}
        ).returncode


def write_messages(image: Path, root: Path) -> None:
    """Write the messages under `root`."""
    code = buf(
        "generate", image, "--path", "proto", "--path", "google/rpc", "--path", "grpc", "--output", root
    )
    if code:
        sys.exit(code)
    shutil.rmtree(root / GENERATED / "buf")  # protovalidate has these
    for clients in (root / GENERATED / "grpc").rglob("*_pb_grpc.py"):
        clients.unlink()  # packages of gRPC have these


def write_documents(image: Path, root: Path) -> None:
    """Write what else is made of the protos under `root`, with the messages that this process can import."""
    from tools.client_rpcs import build_module  # noqa: PLC0415 - the same as below
    from tools.event_fields import build_table  # noqa: PLC0415 - the same as below
    from tools.openapi import as_swagger2, build_document  # noqa: PLC0415 - the same

    from tracker import __version__  # noqa: PLC0415 - the messages that it imports may just have been written

    registry = FileDescriptorSet.from_binary(image.read_bytes()).to_registry()
    paths = [f"proto/{name}/v1alpha1/{name}.proto" for name in SERVICES]
    files = [file for path in paths if (file := registry.file(path)) is not None]
    examples = json.loads((ROOT / "proto" / "examples.json").read_text())
    document = build_document(files, examples, __version__)
    written = {
        SPEC / "openapi.json": document,
        SPEC / "swagger.json": as_swagger2(document),
        TABLE / "event_fields.json": build_table(files[SERVICES.index("event")]),
    }
    for path, content in written.items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (root / path.parent).mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n", encoding="utf-8")
    (root / RPCS).mkdir(parents=True)
    (root / RPCS / "__init__.py").write_text(build_module(files), encoding="utf-8")


def stale_files(root: Path, folder: Path) -> Sequence[str]:
    """Return the files below `folder` that differ from, or are not, those under `root`."""
    fresh, committed = (
        {
            str(path.relative_to(base))
            for path in (base / folder).rglob("*.*")
            if path.is_file() and path.suffix != ".pyc"
        }
        for base in (root, ROOT)
    )
    same, _, _ = filecmp.cmpfiles(root, ROOT, fresh & committed, shallow=False)
    return sorted((fresh | committed) - set(same))


def generate(image: Path, *, check: bool) -> int:
    """Write everything, or compare it with what is there; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        write_messages(image, made)
        write_documents(image, made)
        stale = [path for place in PLACES for path in stale_files(made, place)]
        if not check:
            # Made elsewhere first, so that a proto that can't be compiled leaves what is there.
            for place in PLACES:
                shutil.rmtree(ROOT / place, ignore_errors=True)
                shutil.copytree(made / place, ROOT / place)
            return 0
    for path in stale:
        print(f"stale: {path}; run make generate", file=sys.stderr)
    return 1 if stale else 0


def lint(image: Path) -> int:
    """Check the protos against the rules and the format of buf; return the exit code."""
    broken = buf("lint", image, "--path", "proto")
    unformatted = buf("format", "--path", "proto", "--diff", "--exit-code")
    return broken or unformatted


def main() -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--lint", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "tracker.binpb")
        compile_protos(image)
        return lint(image) if arguments.lint else generate(image, check=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
