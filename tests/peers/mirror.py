"""Where a machine keeps Terraform's providers."""

import os
from pathlib import Path


def find_mirror(platform):
    """A folder with the AWS provider in it, as `terraform providers mirror` lays it out, or unpacked; none: `None`."""
    home = Path.home()
    usual = [
        *map(Path, filter(None, [os.environ.get("ROTATOR_TERRAFORM_MIRROR")])),
        home / ".terraform.d/plugins",
        Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "terraform/plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
        Path("/usr/share/terraform"),
        *sorted(Path("/opt").glob("*")),
        *sorted(Path("/usr/local").glob("*")),
    ]
    for folder in usual:
        provider = folder / "registry.terraform.io/hashicorp/aws"
        if any(provider.glob(f"*/{platform}")) or any(provider.glob(f"*_{platform}.zip")):
            return folder.resolve()
    return None
