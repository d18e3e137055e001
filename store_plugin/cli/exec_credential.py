"""The door of `store-plugin exec-credential` for people: its help. The program behind it reads
its own arguments, so that it starts without what this imports."""

import sys

import click

from store_plugin.cli._exec_credential import main
from store_plugin.cli._exec_credential.options import OPTIONS, USAGE, Option


class _ExecCredential(click.Command):
    """Hands its arguments on as they are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if {"-h", "--help"}.intersection(args):
            click.echo(ctx.get_help())
            ctx.exit()
        ctx.args = list(args)
        return []

    def invoke(self, ctx: click.Context) -> None:
        sys.stdout.flush()
        main(ctx.args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [USAGE]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Options"):
            formatter.write_dl([(f"--{option.name} {option.metavar}", _told(option)) for option in OPTIONS])


def _told(option: Option) -> str:
    notes = [f"env var: {option.variable}"] if option.variable else []
    notes += [f"default: {option.default}"] if option.default else []
    return f"{option.help}  [{'; '.join(notes)}]" if notes else option.help


@click.command("exec-credential", cls=_ExecCredential)
def exec_credential() -> None:
    """Be a credential plugin of kubectl.

    Answers kubectl, client-go and every client that runs credential plugins
    (client.authentication.k8s.io/v1 and v1beta1) with the token, the client certificate or
    the user of the kubeconfig that a secret holds. docs/exec-credential.md shows the
    kubeconfig for it.

    SCOPE/NAME may have places, fleet/{cluster}, which the cluster's extension
    client.authentication.k8s.io/exec fills; the first segment is fixed, or
    {profile.namespace}. So may --context and --audience. A secret chosen in this way has to
    say which server it is for.

    What fails is told in one line on standard error, with exit code 1.
    """
