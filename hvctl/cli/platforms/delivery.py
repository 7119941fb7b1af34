"""How what `gen --for` makes is written, for all platforms; and options that those without objects have not."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hvctl import api
from hvctl.cli.inputs.plans import say_plan
from hvctl.cli.output import say_sentence, write_result
from hvctl.cli.platforms import Request
from hvctl.errors import UsageError
from hvctl.model.host import CpuidLeaf, Host
from hvctl.model.plan import Plan


class Written(NamedTuple):
    """A plan and what becomes of it: a text, and the same as JSON has it; sentences about what of the plan it does not
    say, and about what there is to know of it."""

    plan: Plan
    pool: Sequence[Host]
    text: str
    tree: Mapping[str, Any]
    lost: Sequence[str] = ()
    notes: Sequence[str] = ()


def check_plain(platform: str, request: Request) -> None:
    """Raise UsageError for a name and sizes, which the platform's own configuration has."""
    wanted = request.wanted
    given = {"name": wanted.name, "memory": wanted.memory, "vcpus": wanted.vcpus}
    if idle := [f"--{option}" for option, value in given.items() if value is not None]:
        raise UsageError(f"{' and '.join(idle)}: not with --for {platform}")


def deliver(request: Request, written: Written) -> int:
    """Write what a usable plan became, and say what is not in it; the exit code."""
    say_plan(written.plan, explain=request.explain)
    for sentence in written.lost:
        say_sentence(f"not written: {sentence}")
    for sentence in written.notes:
        say_sentence(f"note: {sentence}")
    if request.output_format == "json":
        leaves = api.predict_leaves(written.plan, written.pool[0])
        _write_json(request, written.plan, leaves, {**written.tree, "left_out": list(written.lost)})
    else:
        write_result(written.text, request.output)
    return 0


def refuse(request: Request, plan: Plan, keys: Sequence[str]) -> int:
    """Report a refused plan; in JSON nothing stands for the keys of what would have become of it.

    Raises:
        RefusedError: where no JSON is asked for.
    """
    say_plan(plan, explain=request.explain)
    if request.output_format != "json":
        api.check(plan)
    _write_json(request, plan, (), {**dict.fromkeys(keys), "left_out": []})
    return 1


def _write_json(request: Request, plan: Plan, leaves: Sequence[CpuidLeaf], more: Mapping[str, Any]) -> None:
    from hvctl.report.plan import plan_json
    from hvctl.text.json_document import dump

    write_result(dump({**plan_json(plan, argv=None, xml=None, leaves=leaves), **more}), request.output)
