"""Regenerate `src/tracker/pb/generated` from `proto/`, with tools from PyPI alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import google.api
import grpc_tools.protoc
from protobuf.wkt import FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "src" / "tracker" / "pb" / "generated"


def compile_protos(image: Path) -> None:
    """Write the descriptors of every proto, with comments and imports, to `image`."""
    site_packages = Path(next(iter(google.api.__path__))).parent.parent
    well_known = Path(grpc_tools.protoc.__file__).parent / "_proto"
    rules = validate_pb.desc()
    protos = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        validate = Path(folder, "validate.binpb")
        files = [d.proto for d in rules.dependencies] + [rules.proto]
        validate.write_bytes(FileDescriptorSet(file=files).to_binary())
        code = grpc_tools.protoc.main([
            "protoc",
            f"--descriptor_set_in={validate}",
            f"--proto_path={ROOT}",
            f"--proto_path={site_packages}",
            f"--proto_path={well_known}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={image}",
            *protos,
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
        ])
    if code:
        sys.exit(code)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "tracker.binpb")
        compile_protos(image)
        shutil.rmtree(GENERATED, ignore_errors=True)
        scripts = Path(sysconfig.get_path("scripts"))
        subprocess.run(
            [scripts / "buf", "generate", image, "--path", "proto", "--path", "google/rpc"],
            cwd=ROOT, check=True, env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": folder},
        )
        shutil.rmtree(GENERATED / "buf", ignore_errors=True)


if __name__ == "__main__":
    main()
