"""What platforms without objects of their own share: options that they have not, and how a result is written."""

from collections.abc import Mapping, Sequence
from typing import Any

from hvctl import api
from hvctl.cli.inputs.plans import say_plan
from hvctl.cli.output import say_sentence, write_result
from hvctl.cli.platforms import Request
from hvctl.errors import UsageError
from hvctl.model.host import Host
from hvctl.model.plan import Plan


def check_plain(platform: str, request: Request) -> None:
    """Raise UsageError for a name and sizes, which the platform's own configuration has."""
    wanted = request.wanted
    given = {"name": wanted.name, "memory": wanted.memory, "vcpus": wanted.vcpus}
    if idle := [f"--{option}" for option, value in given.items() if value is not None]:
        raise UsageError(f"{' and '.join(idle)}: not with --for {platform}")


def deliver(
    request: Request, plan: Plan, pool: Sequence[Host], text: str, tree: Mapping[str, Any], lost: Sequence[str]
) -> int:
    """Write a text, or the plan with a tree as JSON, and say what is not written; the exit code."""
    say_plan(plan, explain=request.explain)
    for sentence in () if plan.refusals else lost:
        say_sentence(f"not written: {sentence}")
    if request.output_format == "json":
        from hvctl.report.plan import plan_json
        from hvctl.text.json_document import dump

        leaves = () if plan.refusals else api.predict_leaves(plan, pool[0])
        whole = plan_json(plan, argv=None, xml=None, leaves=leaves)
        given = {name: None if plan.refusals else value for name, value in tree.items()}
        write_result(dump({**whole, **given, "left_out": [] if plan.refusals else list(lost)}), request.output)
        return 1 if plan.refusals else 0
    api.check(plan)
    write_result(text, request.output)
    return 0
