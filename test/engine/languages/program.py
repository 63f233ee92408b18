"""A Pulumi program in Python that uses the plugin: `program.py FOLDER OPERATION`, whose outputs it prints as JSON."""

import json
import sys

import pulumi
from pulumi import automation


class HostBackup(pulumi.ComponentResource):
    """What `pulumi package add` writes for the component, by hand: its generator is in a program that tests may lack."""

    list: pulumi.Output[str]

    def __init__(self, name: str, args: dict):
        super().__init__("provision:index:HostBackup", name, {**args, "list": None}, None, True)


def program() -> None:
    """Declares what is deployed."""
    backup = HostBackup(
        "backup",
        {
            "job": "app",
            "databaseUrl": pulumi.Output.secret("postgres://u:p@db/app"),
            "directory": f"{sys.argv[1]}/backups",
            "scheduler": "none",
            "keepLast": 7,
        },
    )
    pulumi.export("list", backup.list)


stack = automation.create_or_select_stack(
    "dev", project_name="python", program=program, work_dir=sys.argv[1]
)
if sys.argv[2] == "up":
    result = stack.up()
    outputs = {name: output.value for name, output in result.outputs.items()}
    print(json.dumps({"changes": result.summary.resource_changes, "outputs": outputs}))
else:
    print(json.dumps({"changes": stack.destroy().summary.resource_changes}))
